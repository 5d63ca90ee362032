// SPDX-License-Identifier: MIT
// Asks before something is changed: says in words what will happen, and shows the request that makes it happen.

import { send } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill, newId } from "../shared/dom.js";
import { showProblem } from "../shared/shell.js";
import { onToken } from "../shared/token.js";

/** A field of the dialog; `name` is what its value is called. */
function makeField({ name, label, ...attributes }) {
	const id = newId(name);
	const input = el("input", { id, name, autocomplete: "off", spellcheck: "false", ...attributes });
	return el("div", {}, el("label", { for: id }, label), input);
}

/**
 * Opens a dialog in `parent`. `says(values)`: what will happen, texts or elements; `request(values)`: what is sent;
 * both get the values of the `fields`, by name. `check()` may throw, right before it is sent, because what the words
 * say is no longer so. `done(answer)` is called when the dialog has closed after a success.
 */
export function askFirst(parent, { title, says, fields = [], button, request, check = () => {}, done }) {
	const id = newId("confirm");
	const words = el("div"), notice = el("div"), curl = curlBox();
	const press = el("button", { class: "main", type: "submit" }, button);
	const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
	const form = el("form", { method: "dialog", oninput: show, onsubmit: submit }, el("h2", { id }, title), words,
		fields.map(makeField), notice, el("div", { class: "row" }, press, cancel), curl);
	const dialog = el("dialog", { "aria-labelledby": id, onclose }, form);
	let busy = false;

	function values() {
		return Object.fromEntries(new FormData(form));
	}

	function show() {
		fill(words, says(values()));
		curl.show(request(values()));
	}

	function onclose() {
		dialog.remove();
		forget();
	}

	async function submit(event) {
		event.preventDefault();
		if (busy)
			return;
		busy = true;
		showProblem(notice, null);
		try {
			await check();
			const answer = await send(request(values()));
			dialog.close();
			done(answer);
		} catch (error) {
			showProblem(notice, error);
		} finally {
			busy = false;
		}
	}

	const forget = onToken(() => showProblem(notice, null)); // with a new token it can be tried again
	show();
	parent.append(dialog);
	dialog.showModal();
	(form.querySelector("input") ?? press).focus();
}
