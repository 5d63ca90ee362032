// SPDX-License-Identifier: MIT
// The features of a layer as rows. Pure functions.

/**
 * A row for each feature: { index, mean, var, deviation, weight, bias, divergence, verdict }. What a feature has not is
 * null; without its `drift` (features of the answer) it has no divergence.
 */
export function rowsOf({ running_mean, running_var }, { weight, bias }, drift = []) {
	const found = new Map(drift.map(feature => [feature.index, feature]));
	return running_mean.data.map((mean, index) => {
		const { divergence = null, verdict = null } = found.get(index) ?? {};
		const variance = running_var.data[index], deviation = Math.sqrt(variance);
		return { index, mean, var: variance, deviation, divergence, verdict,
			weight: weight?.[index] ?? null, bias: bias?.[index] ?? null };
	});
}

/** The number of two digits that is next to x, away from 0 or towards it. */
function round(x, up) {
	const step = 10 ** (Math.floor(Math.log10(Math.abs(x))) - 1);
	const rounded = x === 0 ? 0 : Number(((up ? Math.ceil : Math.floor)(x / step) * step).toPrecision(2));
	return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, rounded));
}

/** A range that has mean ± deviation of all rows, and ends at round numbers so that it seldom changes. */
export function scaleOf(rows) {
	let low = Infinity, high = -Infinity;
	for (const { mean, deviation } of rows) {
		low = Math.min(low, mean - deviation);
		high = Math.max(high, mean + deviation);
	}
	const scale = { low: round(low, false), high: round(high, true) };
	return scale.high > scale.low ? scale : { low: low - 1, high: high + 1 };
}

/**
 * Mean and variance of a feature, from statistics and definition, as drift is measured from them: the variance is
 * biased where the number of values behind it is known (docs/MATH.md, Distances).
 */
export function trainingOf({ running_mean, running_var, count, unbiased_running_var }, index) {
	const bias = unbiased_running_var && count > 1 ? (count - 1) / count : 1;
	return { mean: running_mean.data[index], variance: running_var.data[index] * bias };
}

/** Mean and variance of a feature of the window, from its distances (docs/MATH.md, 31 and 32). */
export function windowOf({ mean, variance }, { mean_shift, variance_ratio }) {
	if (mean_shift === null)
		return null; // the deviation of training is 0
	return { mean: mean + mean_shift * Math.sqrt(variance), variance: variance * variance_ratio };
}
