// SPDX-License-Identifier: MIT
// Which values share a mean and a variance (docs/MATH.md, "Which values share a mean"). Pure functions.
//
// Values are numbered as they lie in memory: cell (n, c, l) of N × C × L has the number (n · C + c) · L + l.

/** The number of a cell. */
export function numberOf({ c: C, l: L }, { n, c, l }) {
	return (n * C + c) * L + l;
}

/** How many groups a kind makes, and `of(n, c, l)`: the number of the group of a cell. */
function grouping(kind, { n: N, c: C, l: L, groups, over }) {
	const rows = over === "token" ? { count: N * L, of: (n, c, l) => n * L + l } : { count: N, of: n => n };
	const wide = C / groups;
	return {
		batch: { count: C, of: (n, c) => c },
		layer: rows,
		instance: { count: N * C, of: (n, c) => n * C + c },
		group: { count: N * groups, of: (n, c) => n * groups + Math.floor(c / wide) },
		rms: rows,
	}[kind];
}

/** Whether a call of the kind can leave padding out: a whole row of layer norm counts or does not. */
export function skipsPadding(kind, over) {
	return over === "token" || (kind !== "layer" && kind !== "rms");
}

/**
 * The groups of a kind: `of[i]` is the group of value i, −1 for padding; `members[g]` are the numbers of the values in
 * group g. `sizes` has n, c, l, groups and over; `lengths` says how many positions of each sample count, null: all.
 */
export function groupValues(kind, sizes, lengths = null) {
	const { n: N, c: C, l: L, over } = sizes, rule = grouping(kind, sizes);
	const counting = lengths !== null && skipsPadding(kind, over) ? lengths : Array(N).fill(L);
	const of = new Int32Array(N * C * L).fill(-1), members = Array.from({ length: rule.count }, () => []);
	let i = 0;
	for (let n = 0; n < N; n++)
		for (let c = 0; c < C; c++)
			for (let l = 0; l < L; l++, i++)
				if (l < counting[n]) {
					of[i] = rule.of(n, c, l);
					members[of[i]].push(i);
				}
	return { of, members };
}

/** The numbers that divide n, from 1 to n. */
export function divisors(n) {
	return Array.from({ length: n }, (none, i) => i + 1).filter(d => n % d === 0);
}
