// SPDX-License-Identifier: MIT
// Work that takes a while, one at a time: a bar shows how far it is, and a button cancels it.

import { el, fill } from "../shared/dom.js";
import { Broken } from "./broken.js";
import { say } from "./own_words.js";

/** `element`; `run(name, words, work)`; `busy()`; `stop()`. */
export function worker() {
	const text = el("span", { role: "status" }), bar = el("progress", { max: 1, "aria-label": say("progress") });
	const cancel = el("button", { type: "button", onclick: () =>
		running?.abort(new Broken(`cancelled ${running.name}`)) }, say("cancel"));
	const shown = el("div", { class: "row", hidden: true }, bar, cancel);
	const element = el("div", { class: "row" }, shown, text);
	let running = null;

	/**
	 * Runs `work({ signal, progress })`; `words` say what it is. Gives its result, or undefined if another began
	 * meanwhile. To cancel it throws Broken with the key `cancelled ${name}`.
	 */
	async function run(name, words, work) {
		const mine = Object.assign(new AbortController(), { name });
		running?.abort();
		running = mine;
		shown.hidden = false;
		fill(text, words);
		bar.removeAttribute("value");
		try {
			const result = await work({ signal: mine.signal, progress: share => {
				bar.value = share;
				if (share >= 1)
					fill(text, say("waiting"));
			} });
			return running === mine ? result : undefined;
		} catch (error) {
			if (running !== mine)
				return undefined;
			throw error;
		} finally {
			if (running === mine) {
				shown.hidden = true;
				fill(text);
				running = null;
			}
		}
	}
	const stop = () => {
		running?.abort();
		running = null;
	};
	return { element, run, stop, busy: () => running !== null };
}
