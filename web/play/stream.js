// SPDX-License-Identifier: MIT
// A stream of batches of one feature, whose mean may shift at some step. Pure functions.

import { normal } from "./random.js";

export const STEPS = 100;
const MEAN = 3; // not 0, where running means begin

/**
 * The batches of a state, lists of values, and what is true of each: `mean` and `variance`. The values are the same
 * however they are cut into batches, and have two digits after the point.
 */
export function streamOf({ seed, batch, deviation, shift, at }) {
	const next = normal(seed), far = shift * deviation;
	const mean = Array.from({ length: STEPS }, (none, i) => MEAN + (i + 1 >= at ? far : 0));
	const value = center => Math.round((center + deviation * next()) * 100) / 100;
	return { batches: mean.map(center => Array.from({ length: batch }, () => value(center))),
		mean, variance: Array(STEPS).fill(deviation * deviation) };
}
