// SPDX-License-Identifier: MIT
// The arithmetic of normalization, (1) to (4) and (10) of docs/MATH.md, and the same as lines to read. Pure functions.

import { short } from "../shared/number.js";

/** Mean and biased variance of the values with these numbers; for RMS norm the mean is 0. */
export function moments(kind, values, members) {
	const n = members.length, sum = of => members.reduce((total, i) => total + of(values[i]), 0);
	const mean = kind === "rms" || n === 0 ? 0 : sum(x => x) / n;
	return { n, mean, variance: n === 0 ? 0 : sum(x => (x - mean) ** 2) / n };
}

/** Normalizes flat values by groups (groups.js). Gives the moments of each group, and each value's x̂ and y. */
export function normalize(kind, values, { of, members }, { eps, weight, bias }) {
	const groups = members.map(numbers => moments(kind, values, numbers));
	const hat = values.map((x, i) => {
		if (of[i] < 0)
			return 0; // padding
		const { mean, variance } = groups[of[i]];
		return (x - mean) / Math.sqrt(variance + eps);
	});
	const shift = kind === "rms" ? 0 : bias;
	return { groups, hat, y: hat.map((x, i) => of[i] < 0 ? 0 : weight * x + shift) };
}

/** Enough digits of a mean or a variance that a reader who repeats the arithmetic gets the same x̂. */
const DIGITS = 5;

/** A number within a formula: a negative one in parentheses. */
function term(x, digits = 4) {
	return x < 0 ? `(${short(x, digits)})` : short(x, digits);
}

/** The first of many terms, and the last. */
function some(terms) {
	return terms.length <= 4 ? terms : [...terms.slice(0, 2), "…", terms.at(-1)];
}

/** "1.2 − 0.3 + … + 0.7" */
function sumOf(values) {
	const signed = some(values).map(x => x === "…" ? "+ …" : `${x < 0 ? "−" : "+"} ${short(Math.abs(x))}`)
		.join(" ");
	return signed.replace(/^\+ /, "").replace(/^− /, "−");
}

/** "f(1.2) + f(0.3) + … + f(0.7)" */
function sumOfSquares(values, write) {
	return some(values.map(x => `${write(x)}²`)).join(" + ");
}

/** The lines of arithmetic of value i, as [name, formula, result]: texts. */
export function lines(kind, values, { of, members }, result, i, { eps, weight, bias }) {
	const { n, mean, variance } = result.groups[of[i]], mine = members[of[i]].map(j => values[j]);
	const x = short(values[i]), center = term(mean, DIGITS), spread = short(variance, DIGITS);
	const root = `√(${spread} + ${short(eps, 2)})`, hat = short(result.hat[i]), y = short(result.y[i]);
	const scaled = `${term(weight)} · ${term(result.hat[i])}`;
	if (kind === "rms")
		return [
			["ms", `(${sumOfSquares(mine, v => term(v))}) / ${n}`, spread],
			["x̂", `${x} / ${root}`, hat],
			["y", scaled, y],
		];
	return [
		["μ", `(${sumOf(mine)}) / ${n}`, short(mean, DIGITS)],
		["σ²", `(${sumOfSquares(mine, v => `(${short(v)} − ${center})`)}) / ${n}`, spread],
		["x̂", `(${x} − ${center}) / ${root}`, hat],
		["y", `${scaled} + ${term(bias)}`, y],
	];
}
