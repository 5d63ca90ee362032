// SPDX-License-Identifier: MIT
// The models of the daemon. The list has their names alone; the rest is asked for the rows in sight.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { ago, whole } from "../shared/number.js";
import { get, path, post, put } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { token } from "../shared/token.js";
import { listTable } from "./listing.js";

const MANY = 100; // layers that are counted; above that it is "100+"

async function askModel(model, signal) {
	const base = path`v1/models/${model}`;
	const [{ layers, next }, serving] = await Promise.all([
		read(base, { limit: MANY }, { signal }), read(`${base}/serving`, {}, { signal })]);
	const kinds = Array.from(new Set(layers.map(({ definition }) => definition.kind)));

	return { ...serving, layers: layers.length, more: next === null ? "" : "+", kinds: kinds.join(", ") };
}

function columnsOf(found, sort) {
	const serves = ({ version }) => version > 0 ? `version ${version}` : version;
	const time = model => found(model).time;
	return [
		{ title: "Model", value: model => model, grow: true, width: 12,
			node: model => el("a", { href: `#/models/${encodeURIComponent(model)}` }, model) },
		{ title: "Layers", value: model => found(model).layers, number: true, width: 6, sort,
			text: model => whole(found(model).layers) + (found(model).more ?? "") },
		{ title: "Kinds", value: model => found(model).kinds, width: 18, sort },
		{ title: "Serves", value: model => serves(found(model)), width: 9, sort },
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
		el("p", {}, "This imports all batch norms of a PyTorch model from its file:"),
		curlBox(put(path`v1/models/demo/state.safetensors`, new Blob(), {}, "application/octet-stream"),
			{ file: "model.safetensors" }));
}

export function modelsView({ query, main }) {
	const list = listTable({ path: "v1/models", member: "models", key: model => model, ask: askModel,
		columns: columnsOf, query, caption: "Models" });
	const notice = el("div"), first = firstSteps();
	const body = el("div", { hidden: true }, list.table, curlBox(get("v1/models", { limit: 1000 })));

	main.append(el("h1", {}, "Models"), notice, first, body);

	const { stop } = live(async signal => {
		try {
			await list.load(signal);
			showProblem(notice, null);
			first.hidden = list.rows().length > 0;
			body.hidden = !first.hidden;
		} catch (error) {
			if (error.name === "Refused")
				showProblem(notice, error);
			throw error;
		}
	}, { tell: showState });
	return { stop: () => { stop(); list.stop(); } };
}
