// SPDX-License-Identifier: MIT
// Keeps what is shown up to date: asks again at intervals, rests while the page is hidden, and waits longer and longer
// while the daemon is away.

import { Away } from "./api.js";
import { onToken } from "./token.js";

const LONGEST_MS = 30000, FIRST_MS = 2000; // between two tries while it fails

/**
 * Calls `load(signal)`, which shows what it gets, now and `interval` ms after it has ended, as long as the page is
 * shown. `tell({ kind, error, again })` says how it went: "fresh", "paused" (hidden), "away" (with `again`: when it is
 * tried next, as performance.now() says) or "failed", with the error; after a failure it is tried again too.
 * Returns { stop, now }: `stop` aborts a running load and ends all; `now` asks at once.
 */
export function live(load, { interval = 2000, tell = () => {} } = {}) {
	let timer = null, running = null, misses = 0, stopped = false;

	function wait(ms) {
		clearTimeout(timer);
		timer = setTimeout(run, ms);
	}

	async function run() {
		clearTimeout(timer);
		running?.abort();
		if (stopped)
			return;
		if (document.hidden) {
			tell({ kind: "paused" });
			return;
		}
		const mine = running = new AbortController();
		let next = interval;
		try {
			await load(mine.signal);
			misses = 0;
			if (!mine.signal.aborted)
				tell({ kind: "fresh" });
		} catch (error) {
			if (mine.signal.aborted)
				return;
			misses++;
			next = Math.min(LONGEST_MS, Math.min(interval, FIRST_MS) * 2 ** (misses - 1));
			const kind = error instanceof Away ? "away" : "failed";
			tell({ kind, error, again: performance.now() + next });
			if (!(error instanceof Away) && error.name !== "Refused")
				console.error(error);
		}
		if (!mine.signal.aborted)
			wait(next);
	}

	function stop() {
		stopped = true;
		clearTimeout(timer);
		running?.abort();
		document.removeEventListener("visibilitychange", run);
		forgetToken();
	}

	document.addEventListener("visibilitychange", run);
	const forgetToken = onToken(run);
	run();
	return { stop, now: run };
}
