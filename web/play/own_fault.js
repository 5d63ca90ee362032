// SPDX-License-Identifier: MIT
// Shows what is wrong with data, and where in a pasted text it is: as the page found it (broken.js), or the daemon,
// which counts bytes.

import { el } from "../shared/dom.js";
import { problemBox } from "../shared/shell.js";
import { Broken } from "./broken.js";
import { say } from "./own_words.js";

const AROUND = 40; // characters to each side

/** Where a fault is in a text: its line, and the text around it with the fault marked. */
function marked(text, at) {
	const before = text.slice(0, at), line = before.split("\n").length, column = at - before.lastIndexOf("\n");
	const sign = String.fromCodePoint(text.codePointAt(at) ?? 0x21b5);
	return [el("p", { class: "quiet" }, say("where", { line, column })), el("pre", { class: "fault" },
		text.slice(Math.max(0, at - AROUND), at), el("mark", {}, sign),
		text.slice(at + sign.length, at + AROUND))];
}

/** The character that begins at a byte of a text in UTF-8. */
function characterAt(text, byte) {
	const bytes = new TextEncoder().encode(text);
	return new TextDecoder().decode(bytes.subarray(0, byte)).length;
}

/** An error, as elements. `text`: the pasted text, or null. */
export function fault(error, text) {
	if (error instanceof Broken)
		return el("div", { class: "problem", role: "alert" }, el("p", {}, say(error.key, error.values)),
			error.at !== null && text !== null && marked(text, error.at));
	const at = text !== null && error.offset !== undefined ? characterAt(text, error.offset) : null;
	return [problemBox(error), at !== null && marked(text, at)];
}
