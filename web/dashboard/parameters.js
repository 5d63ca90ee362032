// SPDX-License-Identifier: MIT
// Weight and bias of a layer that keeps no statistics. Those of other layers are shown beside their statistics.

import { send } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { short } from "../shared/number.js";
import { get } from "../shared/request.js";
import { virtualTable } from "../shared/table.js";

const REST_MS = 0.1; // for each value, between two readings of all

/** Where the n-th value is in a shape: [1, 2]. */
export function placeIn(shape, n) {
	return shape.reduceRight((place, size) => {
		place.unshift(n % size);
		n = Math.floor(n / size);
		return place;
	}, []);
}

/** A row for each value: { place, weight, bias }. A parameter that the layer has not is null. */
export function rowsOf({ weight, bias }, shape) {
	const [weights, biases] = [weight, bias].map(values => values?.flat(Infinity));
	return weights.map((value, n) =>
		({ n, place: placeIn(shape, n).join(", "), weight: value, bias: biases?.[n] ?? null }));
}

function tableOf(hasBias) {
	const number = name => ({ title: name === "weight" ? "Weight" : "Bias", value: row => row[name],
		text: row => short(row[name]), number: true });
	return virtualTable({ caption: "Parameters", noun: "features", key: ({ n }) => n, search: "Search a feature",
		empty: "The layer learns with its first tensor how many it has.",
		columns: [{ title: "Feature", value: ({ place }) => place, width: 10, grow: true }, number("weight"),
			...hasBias ? [number("bias")] : []] });
}

export default function ({ base, version }) {
	const ask = get(`${base}/parameters`, { version }), inside = el("div", { class: "narrow" });
	const node = el("section", {}, el("h2", {}, "Parameters"), inside, curlBox(ask));
	let table = null, rest = 0;

	async function load(signal, { definition }) {
		if (performance.now() < rest)
			return;
		const parameters = await send(ask, { signal });
		const rows = rowsOf(parameters, definition.normalized_shape ?? [parameters.weight.length]);
		if (table === null)
			fill(inside, table = tableOf(parameters.bias !== null));
		table.show(rows);
		rest = performance.now() + rows.length * REST_MS;
	}

	return { node, load };
}
