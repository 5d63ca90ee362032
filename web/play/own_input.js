// SPDX-License-Identifier: MIT
// Where data come in: a text that is pasted, a file that is chosen, or dropped anywhere on the page.

import { el, newId } from "../shared/dom.js";
import { say } from "./own_words.js";

function holdsFiles(event) {
	return event.dataTransfer.types.includes("Files");
}

/** The file of a drop, or what is wrong with it. */
function dropped({ dataTransfer }) {
	const items = [...dataTransfer.items].filter(({ kind }) => kind === "file");
	if (items.length > 1)
		return { wrong: "several" };
	return items[0].webkitGetAsEntry?.()?.isDirectory ? { wrong: "directory" } : { file: items[0].getAsFile() };
}

/**
 * `element`; `stop()`. It calls `take(source)`: { file }, { text }, or { wrong }, a key of own_words.js.
 */
export function input(take) {
	const id = newId("paste"), fileId = newId("file");
	const paste = el("textarea", { id, rows: 6, spellcheck: "false", placeholder: say("example") });
	const file = el("input", { id: fileId, type: "file",
		onclick: () => { file.value = ""; }, // the same file can be chosen again
		onchange: () => file.files.length > 0 && take({ file: file.files[0] }) });
	const element = el("div", { class: "drop" },
		el("label", { for: id }, say("paste")), paste,
		el("button", { type: "button", onclick: takeText }, say("use")),
		el("label", { for: fileId }, say("choose")), file, el("p", { class: "quiet" }, say("drop")));

	function takeText() {
		file.value = "";
		take({ text: paste.value.replace(/^\ufeff/, "") });
	}

	function over(event) {
		if (!holdsFiles(event))
			return;
		event.preventDefault(); // or else the browser leaves this page for the file
		element.classList.toggle("over", event.type !== "drop");
		if (event.type !== "drop")
			return;
		file.value = "";
		take(dropped(event));
	}

	function leave({ relatedTarget }) {
		if (relatedTarget === null)
			element.classList.remove("over");
	}

	const listeners = { dragover: over, drop: over, dragleave: leave };
	for (const [name, listener] of Object.entries(listeners))
		document.addEventListener(name, listener);
	return { element, stop() {
		for (const [name, listener] of Object.entries(listeners))
			document.removeEventListener(name, listener);
	} };
}
