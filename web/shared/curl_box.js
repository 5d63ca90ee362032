// SPDX-License-Identifier: MIT
// The curl line behind what is shown, with a button that copies it.

import { el, fill } from "./dom.js";
import { curlLine } from "./request.js";
import { onToken, token } from "./token.js";
import { words } from "./words.js";

const say = words({
	en: { lines: "With curl", copy: "Copy", copied: "copied", selected: "selected: press Ctrl+C" },
	ko: { copy: "복사", copied: "복사했습니다", selected: "선택했습니다. Ctrl+C를 누르세요" },
});

/** The lines of several requests, to be opened. */
export function curlDetails(...requests) {
	return el("details", {}, el("summary", {}, say("lines")), requests.map(request => curlBox(request)));
}

/** An element; its `show(request, options)` changes the line. `options` are those of curlLine. */
export function curlBox(request = null, options = {}) {
	const code = el("code", { tabindex: "0" });
	const done = el("span", { role: "status", class: "quiet" });
	const copy = el("button", { type: "button", onclick: async () => {
		try {
			await navigator.clipboard.writeText(code.textContent);
			fill(done, say("copied"));
		} catch {
			getSelection().selectAllChildren(code); // a page without HTTPS has no clipboard
			fill(done, say("selected"));
		}
	} }, say("copy"));
	const box = el("div", { class: "curl" }, el("pre", {}, code), copy, done);

	box.show = (shown, more = {}) => {
		request = shown;
		options = more;
		code.textContent = curlLine(shown, { withToken: token() !== "", ...more });
		fill(done);
	};
	if (request !== null)
		box.show(request, options);
	const forget = onToken(() => {
		if (!box.isConnected)
			forget();
		else if (request !== null)
			box.show(request, options);
	});
	return box;
}
