// SPDX-License-Identifier: MIT
// Has data read by own_worker.js. To cancel ends the worker, and a new one waits for the next data.

import { Away } from "../shared/api.js";
import { Broken } from "./broken.js";

/** `read(source, { signal, progress })` gives what own_data.js makes of a source; one at a time. `stop()` ends it. */
export function dataReader() {
	let worker = start();

	function start() {
		const begun = new Worker(new URL("own_worker.js", import.meta.url), { type: "module" });
		begun.onerror = () => { worker = null; }; // its files did not come
		return begun;
	}

	function restart() {
		worker?.terminate();
		worker = start();
	}

	function read(source, { signal, progress }) {
		return new Promise((resolve, reject) => {
			const cancel = () => {
				restart();
				reject(signal.reason);
			};
			const finish = settle => {
				signal.removeEventListener("abort", cancel);
				settle();
			};
			worker ??= start();
			worker.onerror = () => {
				worker = null;
				finish(() => reject(new Away("the daemon cannot be reached")));
			};
			worker.onmessage = ({ data: { share, read: made, broken } }) => {
				if (share !== undefined)
					progress(share);
				else if (made)
					finish(() => resolve(made));
				else
					finish(() => reject(new Broken(broken.key, broken.values, broken.at)));
			};
			signal.addEventListener("abort", cancel);
			worker.postMessage(source);
		});
	}
	return { read, stop: () => worker?.terminate() };
}
