// SPDX-License-Identifier: MIT
// Where data come in: a text that is pasted, a file that is chosen or dropped.

import { el, newId } from "../shared/dom.js";
import { Broken } from "./broken.js";
import { readFile, readText } from "./own_data.js";
import { say } from "./own_words.js";

/** An element. It calls `take(name, text, read)`; `text` is null of a file, and `read(options)` is of own_data.js. */
export function input(take) {
	const id = newId("paste"), fileId = newId("file");
	const paste = el("textarea", { id, rows: 6, spellcheck: "false", placeholder: "[[39.1, 18.7], [39.5, 17.4]]" });
	const file = el("input", { id: fileId, type: "file", onchange: () => file.files[0] && takeFile(file.files[0]) });

	function takeText() {
		const text = paste.value;
		take(say("pasted"), text, () => readText(text, say("pasted")));
	}

	function takeFile(chosen) {
		take(chosen.name, null, options => readFile(chosen, options));
	}

	function drop(event) {
		const [item, ...more] = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
		event.preventDefault();
		if (item === undefined)
			return;
		const isFolder = item.webkitGetAsEntry?.()?.isDirectory, chosen = item.getAsFile();
		const wrong = more.length > 0 ? "several" : isFolder ? "directory" : null;
		if (wrong === null)
			takeFile(chosen);
		else
			take("", null, () => { throw new Broken(wrong); });
	}

	return el("div", { class: "drop", ondragover: event => event.preventDefault(), ondrop: drop },
		el("label", { for: id }, say("paste")), paste, el("button", { type: "button", onclick: takeText }, say("use")),
		el("label", { for: fileId }, say("choose")), file, el("p", { class: "quiet" }, say("drop")));
}
