// SPDX-License-Identifier: MIT
// The call of POST /v1/normalize that computes what a grid shows. Pure functions.

import { post } from "../shared/request.js";
import { skipsPadding } from "./groups.js";

/** Whether a kind's axes are swapped for the call: layer norm's `normalized_shape` is always the last axes. */
export function isSwapped(kind, over) {
	return over === "token" && (kind === "layer" || kind === "rms");
}

/** (N, A, B) as (N, B, A). */
export function swap(data) {
	return data.map(sample => sample[0].map((none, b) => sample.map(row => row[b])));
}

function definition(kind, { c, l, groups, eps, over }) {
	const rows = { normalized_shape: over === "token" ? [c] : [c, l], eps };
	return {
		batch: { kind: "batch_norm", eps },
		layer: { kind: "layer_norm", ...rows },
		instance: { kind: "instance_norm", affine: true, eps },
		group: { kind: "group_norm", num_groups: groups, num_channels: c, eps },
		rms: { kind: "rms_norm", ...rows },
	}[kind];
}

/** Weight and bias, one number for all of them, as the daemon takes them: left out at 1 and 0. */
function affine(kind, { weight, bias }, { normalized_shape: rows }, c) {
	const all = x => Array(rows?.reduce((size, n) => size * n, 1) ?? c).fill(x);
	return { ...weight !== 1 && { weight: all(weight) }, ...bias !== 0 && kind !== "rms" && { bias: all(bias) } };
}

/** The request for a kind. `made` is of data.js; `state` says how. Numbers travel as doubles. */
export function normalizeCall(kind, made, state) {
	const how = definition(kind, state);
	return post("v1/normalize", {
		...how, ...affine(kind, state, how, state.c), datatype: "FP64",
		...made.lengths !== null && skipsPadding(kind, state.over) && { lengths: made.lengths },
		data: isSwapped(kind, state.over) ? swap(made.data) : made.data,
	});
}

/** The answer's numbers, flat, in the order of the grid. */
export function numbersOf(kind, answer, { over }) {
	return (isSwapped(kind, over) ? swap(answer.data) : answer.data).flat(2);
}
