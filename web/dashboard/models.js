// SPDX-License-Identifier: MIT
// The models of the daemon. The list has their names alone; the rest is asked for the rows in sight.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { ago, whole } from "../shared/number.js";
import { get, path, post, put } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { virtualTable } from "../shared/table.js";
import { token } from "../shared/token.js";
import { asking, keepFind, listing } from "./listing.js";

const MANY = 100; // layers that are counted; above that it is "100+"
const FEW = 100; // models that are all asked about, so that they can be sorted by all columns

async function askModel(model, signal) {
	const base = path`v1/models/${model}`;
	const [{ layers, next }, serving] = await Promise.all([
		read(base, { limit: MANY }, { signal }), read(`${base}/serving`, {}, { signal })]);
	const kinds = Map.groupBy(layers, ({ definition }) => definition.kind);
	const more = next === null ? "" : "+";
	const words = Array.from(kinds, ([kind, { length }]) => more || length === 1 ? kind : `${length} ${kind}`);

	return { serving, layers: layers.length, more, kinds: words.join(", ") };
}

function columnsOf({ found }, sort) {
	const layers = ({ layers, more }) => layers === undefined ? null : whole(layers) + more;
	const serves = ({ version } = {}) => version && (version === "live" ? version : `version ${version}`);
	const time = model => found(model).serving?.time;
	return [
		{ title: "Model", value: model => model, grow: true, width: 12,
			node: model => el("a", { href: `#/models/${encodeURIComponent(model)}` }, model) },
		{ title: "Layers", value: model => found(model).layers, text: model => layers(found(model)),
			number: true, width: 6, sort },
		{ title: "Kinds", value: model => found(model).kinds, width: 18, sort },
		{ title: "Serves", value: model => serves(found(model).serving), width: 9, sort },
		{ title: "Since", value: time, text: model => time(model) && ago(time(model)), width: 8, sort },
	];
}

/** What a daemon without models shows: how to make a first layer. */
function firstSteps() {
	const layer = path`v1/models/demo/layers/bn`;
	return el("section", { class: "card", hidden: true },
		el("h2", {}, token() === "" ? "No models yet" : "No models that your token may see"),
		el("p", {}, "A model comes into being with its first layer. Two commands make one and train it; this ",
			"page shows it as soon as it is there."),
		curlBox(put(layer, { kind: "batch_norm" })),
		curlBox(post(`${layer}/train`, { data: [[1, 10], [2, 20], [3, 30]] })),
		el("p", {}, "Where a PyTorch model is saved as a file, this imports all its batch norms:"),
		curlBox(put(path`v1/models/demo/state.safetensors`, new Blob(), {}, "application/octet-stream"),
			{ file: "model.safetensors" }));
}

export function modelsView({ query, main }) {
	let models = [];
	const few = () => models.length <= FEW;
	const asked = asking(askModel, { key: model => model, shown });
	const table = virtualTable({ caption: "Models", noun: "models", columns: columnsOf(asked, few),
		key: model => model, search: "Search", find: query.get("find") ?? "", onfind: keepFind, seen: see });
	const load = listing("v1/models", "models", model => model);
	const notice = el("div"), first = firstSteps();
	const body = el("div", { hidden: true }, table, curlBox(get("v1/models", { limit: 1000 })));

	main.append(el("h1", {}, "Models"), notice, first, body);

	function shown() {
		if (few())
			table.show(models); // what it is sorted by may have changed
		else
			table.redraw();
	}

	function see(rows) {
		asked.see(few() ? models : rows);
	}

	function show(all) {
		models = all;
		showProblem(notice, null);
		table.show(models);
		first.hidden = models.length > 0;
		body.hidden = models.length === 0;
	}

	const { stop } = live(async signal => {
		try {
			await load(signal, show);
			see(table.inSight());
		} catch (error) {
			if (error.name === "Refused")
				showProblem(notice, error);
			throw error;
		}
	}, { tell: showState });
	return { stop: () => { stop(); asked.stop(); } };
}
