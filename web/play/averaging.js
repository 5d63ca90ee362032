// SPDX-License-Identifier: MIT
// The four ways to average statistics over batches, (1), (2), (5) to (8) and (27) of docs/MATH.md. Pure functions.
//
// Statistics are { count, batches, mean, var }: of how many values and batches they are. A batch has count, mean and
// var, the biased variance. By default, and here, exponential and cumulative averaging take the unbiased variance of
// each batch, and pooled and decayed averaging have the divisor n.

export const START = { count: 0, batches: 0, mean: 0, var: 1 };

/** (1) and (2): the moments of a batch's values. */
export function momentsOf(values) {
	const count = values.length, sum = of => values.reduce((total, x) => total + of(x), 0);
	const mean = sum(x => x) / count;
	return { count, mean, var: (sum(x => (x - mean) ** 2) - sum(x => x - mean) ** 2 / count) / count };
}

/** (8) with ddof = 1. One value has no variance. */
export function unbiased({ count, var: biased }) {
	return biased * count / (count - 1);
}

/** Mean and unbiased variance move to those of the batch by a part of the way. A single value is refused. */
function moved(old, batch, part) {
	if (batch.count < 2)
		return null;
	const move = (r, b) => r + part * (b - r);
	return { count: old.count + batch.count, batches: old.batches + 1, mean: move(old.mean, batch.mean),
		var: move(old.var, unbiased(batch)) };
}

/** (7) with ddof = 0. The mean starts from the side with more values. */
function merged(a, b, batches) {
	const count = a.count + b.count, delta = b.mean - a.mean, ofA = a.count / count, ofB = b.count / count;
	return { count, batches, mean: b.count > a.count ? b.mean - delta * ofA : a.mean + delta * ofB,
		var: a.var * ofA + b.var * ofB + delta * delta * ofA * ofB };
}

/** An averaging gives the statistics after a batch, or null where it refuses the batch. */
export const averagings = {
	/** (5) */
	exponential: (old, batch, { momentum }) => moved(old, batch, momentum),
	/** (6) */
	cumulative: (old, batch) => moved(old, batch, 1 / (old.batches + 1)),
	/** (7) */
	pooled: (old, batch) => merged(old, batch, old.batches + 1),
	/** (27) */
	decayed: (old, batch, { half_life }) =>
		merged({ ...old, count: old.count * 2 ** (-batch.count / half_life) }, batch, old.batches + 1),
};

/** The statistics of an averaging after each of some batches; null after those that it refuses. */
export function averageOver(name, batches, how) {
	let stats = START;
	return batches.map(batch => {
		const next = averagings[name](stats, batch, how);
		stats = next ?? stats;
		return next;
	});
}

const ONE_FEATURE = { kind: "batch_norm", datatype: "FP64", num_features: 1 };

/** What defines a layer of the daemon that averages so. */
export function definitionOf(name, { momentum, half_life }) {
	return { ...ONE_FEATURE, ...{
		exponential: { momentum },
		cumulative: { momentum: null },
		pooled: { averaging: "pooled", normalize_by: "running" },
		decayed: { averaging: "decayed", half_life, normalize_by: "running" },
	}[name] };
}
