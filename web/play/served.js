// SPDX-License-Identifier: MIT
// A layer that was trained on some rows, and a batch of others that comes then: what training mode and inference make
// of the batch. Pure functions.

import { path, post, put } from "../shared/request.js";
import { averagings, momentsOf, START } from "./averaging.js";
import { PENGUINS } from "./penguins.js";
import { normal, uniform } from "./random.js";

const CATS = 100;
const CAT = [{ mean: 6, deviation: 0.8 }, { mean: 2, deviation: 0.3 }, { mean: 45, deviation: 4 },
	{ mean: 3, deviation: 0.5 }]; // made up: ears, nose, size, fur

/** The first `count` rows of a shuffle. */
function draw(rows, count, seed) {
	const next = uniform(seed), left = [...rows];
	return Array.from({ length: Math.min(count, left.length) }, () =>
		left.splice(Math.floor(next() * left.length), 1)[0]);
}

function penguins({ from, batch, seed }) {
	const of = name => PENGUINS.rows.filter(([species]) => name === "all" || PENGUINS.species[species] === name)
		.map(([, ...measures]) => measures);
	return { trained: of(from), batch: draw(of("Gentoo"), batch, seed) };
}

/** Cats, and then animals whose features are all larger: by `shift` deviations of a cat. */
function pets({ batch, seed, shift }) {
	const next = normal(seed);
	const animals = (count, far) => Array.from({ length: count }, () => CAT.map(({ mean, deviation }) =>
		Math.round((mean + deviation * (next() + far)) * 100) / 100));
	return { trained: animals(CATS, 0), batch: animals(batch, shift) };
}

function momentsOfColumns(rows) {
	return rows[0].map((none, c) => momentsOf(rows.map(row => row[c])));
}

function normalize(rows, moments, eps) {
	return rows.map(row => row.map((x, c) => (x - moments[c].mean) / Math.sqrt(moments[c].var + eps)));
}

/**
 * Both sets of rows, the running statistics (pooled over what the layer was trained on), the batch's own moments, and
 * x̂: of the trained rows, of the batch by its own moments (null of a single row, which has no variance), and of the
 * batch by the running statistics.
 */
export function servedOf(state) {
	const { trained, batch } = state.preset === "pets" ? pets(state) : penguins(state), { eps } = state;
	const running = momentsOfColumns(trained).map(moments => averagings.pooled(START, moments));
	const own = momentsOfColumns(batch);
	return { trained, batch, running, own, hats: {
		trained: normalize(trained, running, eps),
		training: batch.length > 1 ? normalize(batch, own, eps) : null,
		inference: normalize(batch, running, eps),
	} };
}

/** The calls that do the same: `training` in one, `inference` after a layer is defined and has these statistics. */
export function requestsOf({ eps }, { batch, running }) {
	const kind = { kind: "batch_norm", datatype: "FP64", eps }, at = path`v1/models/lesson/layers/served`;
	return {
		training: post("v1/normalize", { ...kind, data: batch }),
		define: put(at, { ...kind, averaging: "pooled", num_features: running.length }),
		statistics: put(`${at}/statistics`, { count: running[0].count, num_batches_tracked: 1,
			running_mean: running.map(({ mean }) => mean),
			running_var: running.map(feature => feature.var) }),
		inference: post(`${at}/infer`, batch),
	};
}
