// SPDX-License-Identifier: MIT
// A model's page: its layers, what serves, and its versions. The list of layers has their definitions and revisions;
// batches, times and drift are asked for the rows in sight.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { ago, whole } from "../shared/number.js";
import { get, path } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { keepsStatistics } from "./facts.js";
import { listTable } from "./listing.js";
import { verdictBadge } from "./verdict.js";
import { versionsPart } from "./versions.js";

async function latest(layer, signal) {
	const { history } = await read(`${layer}/history`, { limit: 1 }, { signal });
	return history[0];
}

/** A function that asks for a layer's last update, if the layer has changed since, and for its drift. */
function asker(base) {
	return async ({ name, revision, definition }, signal, found) => {
		const layer = base + path`/layers/${name}`;
		if (!keepsStatistics(definition))
			return { revision };
		if (found.revision !== revision || found.last === undefined)
			found = { revision, last: await latest(layer, signal) };
		if (found.last === undefined)
			return { revision };
		const { verdict } = await read(`${layer}/drift`, { top: 0 }, { signal });
		return { ...found, verdict };
	};
}

/** How bad a verdict is, for the order. */
const BADNESS = { drift: 4, possible: 3, none: 2, constant: 1, too_few: 0 };

function columnsOf(model, found, sort) {
	const link = ({ name, frozen }) => [
		el("a", { href: `#/models/${encodeURIComponent(model)}/layers/${encodeURIComponent(name)}` }, name),
		frozen && [" ", el("span", { class: "badge" }, "frozen")]];
	const badge = layer => found(layer).verdict ? verdictBadge(found(layer).verdict) : "–";
	const batches = layer => found(layer).last?.num_batches_tracked;
	const time = layer => found(layer).last?.time;
	return [
		{ title: "Layer", value: ({ name }) => name, node: link, grow: true, width: 12,
			text: ({ name, frozen }) => frozen ? `${name}, frozen` : name },
		{ title: "Kind", value: ({ definition }) => definition.kind, width: 9 },
		{ title: "Revision", value: ({ revision }) => revision, text: ({ revision }) => whole(revision),
			number: true, width: 6 },
		{ title: "Batches", value: batches, text: layer => whole(batches(layer)),
			number: true, width: 6, sort },
		{ title: "Updated", value: time, text: layer => time(layer) && ago(time(layer)), width: 7.5, sort,
			descending: true },
		{ title: "Drift", value: layer => BADNESS[found(layer).verdict], text: layer => found(layer).verdict,
			node: badge, width: 9, sort, descending: true, find: false },
	];
}

/** { node, load(signal), count(), stop() } */
function layersPart({ model, base, query }) {
	let example = null;
	const list = listTable({ path: base, member: "layers", key: ({ name }) => name, ask: asker(base),
		moved: ({ revision }, found) => revision > found.revision, query, caption: `Layers of ${model}`,
		columns: (found, few) => columnsOf(model, found, few), empty: "The model has no layers." });
	const history = curlBox(), drift = curlBox();
	const more = el("details", { hidden: true }, el("summary", {}, "Batches and drift of a layer with curl"),
		history, drift);
	const node = el("section", {}, el("h2", {}, "Layers"), list.table, curlBox(get(base, { limit: 1000 })), more);

	/** The requests of one layer stand for those of all. */
	function showCurl() {
		const name = list.rows().find(({ definition }) => keepsStatistics(definition))?.name;
		more.hidden = name === undefined;
		if (more.hidden || name === example)
			return;
		example = name;
		const layer = base + path`/layers/${name}`;
		history.show(get(`${layer}/history`, { limit: 1 }));
		drift.show(get(`${layer}/drift`, { top: 0 }));
	}

	async function load(signal) {
		await list.load(signal);
		showCurl();
	}

	return { node, load, count: () => list.rows().length, stop: list.stop };
}

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
		if (gone && versions.node.contains(document.activeElement))
			main.focus(); // what is inert would lose it
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
