// SPDX-License-Identifier: MIT
// Work that takes a while, one at a time: a bar shows how far it is, and a button cancels it.

import { el, fill } from "../shared/dom.js";
import { Broken } from "./broken.js";
import { say } from "./own_words.js";

/** `element`; `run(words, work)`; `stop()`. */
export function worker() {
	const text = el("span", { role: "status" }), bar = el("progress", { max: 1, "aria-label": say("ask") });
	const give = () => running?.abort(new Broken("cancelled"));
	const cancel = el("button", { type: "button", onclick: give }, say("cancel"));
	const element = el("div", { class: "row", hidden: true }, text, bar, cancel);
	let running = null;

	/** Runs `work({ signal, progress })`. Gives its result, or undefined if another began meanwhile. */
	async function run(words, work) {
		const mine = new AbortController();
		running?.abort();
		running = mine;
		element.hidden = false;
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
				element.hidden = true;
				running = null;
			}
		}
	}
	const stop = () => {
		running?.abort();
		running = null;
	};
	return { element, run, stop };
}
