// SPDX-License-Identifier: MIT
// The curl line behind what is shown, with a button that copies it.

import { el, fill } from "./dom.js";
import { curlLine } from "./request.js";
import { token } from "./token.js";

/** An element; its `show(request, options)` changes the line. `options` are those of curlLine. */
export function curlBox(request = null, options = {}) {
	const code = el("code", { tabindex: "0" });
	const done = el("span", { role: "status", class: "quiet" });
	const copy = el("button", { type: "button", onclick: async () => {
		try {
			await navigator.clipboard.writeText(code.textContent);
			fill(done, "copied");
		} catch {
			getSelection().selectAllChildren(code); // a page without HTTPS has no clipboard
			fill(done, "selected: press Ctrl+C");
		}
	} }, "Copy");
	const box = el("div", { class: "curl" }, el("pre", {}, code), copy, done);

	box.show = (shown, more = {}) => {
		code.textContent = curlLine(shown, { withToken: token() !== "", ...more });
		fill(done);
	};
	if (request !== null)
		box.show(request, options);
	return box;
}
