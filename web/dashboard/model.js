// SPDX-License-Identifier: MIT
// A model's page: its layers, what serves, and its versions.

import { read } from "../shared/api.js";
import { el } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { path } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { layersPart } from "./layers.js";
import { versionsPart } from "./versions.js";

export function modelView({ names: [model], query, main }) {
	const base = path`v1/models/${model}`;
	const layers = layersPart({ model, base, query });
	const versions = versionsPart({ model, base, parent: main, layers: layers.count });
	const notice = el("div"), body = el("div", { class: "model", hidden: true }, layers.node, versions.node);

	main.append(el("nav", { class: "crumbs", "aria-label": "Where this is" }, el("a", { href: "#/" }, "Models")),
		el("h1", {}, model), notice, body);

	/** What a model that is gone showed last stays, in grey, and nothing can be done with it. */
	function showGone(gone) {
		body.classList.toggle("gone", gone);
		versions.node.inert = gone;
	}

	async function load(signal) {
		try {
			const serving = await read(`${base}/serving`, {}, { signal });
			await Promise.all([layers.load(signal), versions.load(serving, signal)]);
			showProblem(notice, null);
			showGone(false);
			body.hidden = false;
		} catch (error) {
			if (error.name === "Refused") {
				const gone = error.status === 404 && !body.hidden;
				const last = gone && el("p", { class: "quiet" }, "Below is what it was last.");
				showProblem(notice, error, last);
				showGone(gone);
			}
			throw error;
		}
	}

	const { stop, now } = live(load, { interval: 3000, tell: showState });
	versions.node.addEventListener("changed", now);
	return { stop: () => { stop(); layers.stop(); } };
}
