/* SPDX-License-Identifier: MIT */
/*
 * Two sums along a run, such as those of d = x - shift and of d^2, in BLOCK lanes. A lane adds up plainly for STEPS
 * additions and is then folded into its total (norm/kernels/sum.h). Private to norm/.
 */
#pragma once

#include <stdbool.h>

#include "norm/kernels/columns.h"
#include "norm/kernels/sum.h"
#include "norm/kernels/wide.h"

/* Up to this many values whose squares are exact are first summed about 0. */
#define FEW ((size_t)1024)

/* The totals are undefined before the first fold. */
struct lanes {
	double recent[BLOCK] __attribute__((aligned(64)));
	double high[BLOCK];
	double low[BLOCK];
};

struct moment_sums {
	struct lanes d;
	struct lanes squares;
	size_t steps; /* since the last fold */
	bool folded;  /* at least once */
};

static ALWAYS_INLINE void
moment_sums_init(struct moment_sums *s)
{
	memset(s->d.recent, 0, sizeof(s->d.recent));
	memset(s->squares.recent, 0, sizeof(s->squares.recent));
	s->steps = 0;
	s->folded = false;
}

/* sum_add(), for all lanes. */
static inline void
lanes_fold(struct lanes *l, bool folded)
{
	wide recent, old, high, part, low;

	EACH_VECTOR(k)
	{
		recent = wide_load_double(l->recent + k * KERNELS_WIDTH);
		old = folded ? wide_load_double(l->high + k * KERNELS_WIDTH) : (wide){ 0 };
		low = folded ? wide_load_double(l->low + k * KERNELS_WIDTH) : (wide){ 0 };
		high = old + recent;
		part = high - old;
		low += (old - (high - part)) + (recent - part);
		wide_store(l->high + k * KERNELS_WIDTH, high);
		wide_store(l->low + k * KERNELS_WIDTH, low);
	}
	memset(l->recent, 0, sizeof(l->recent));
}

static inline void
moment_sums_fold(struct moment_sums *s)
{
	lanes_fold(&s->d, s->folded);
	lanes_fold(&s->squares, s->folded);
	s->folded = true;
	s->steps = 0;
}

/* Makes room for `steps` more additions to each lane. */
static ALWAYS_INLINE void
moment_sums_step(struct moment_sums *s, size_t steps)
{
	if (s->steps + steps > STEPS)
		moment_sums_fold(s);
	s->steps += steps;
}

/* Adds up the lanes in a tree, halves onto halves. */
static ALWAYS_INLINE double
lanes_tree(const double lane[BLOCK])
{
	double half[BLOCK / 2];
	size_t n, k;

	for (k = 0; k < BLOCK / 2; k++)
		half[k] = lane[k] + lane[k + BLOCK / 2];
	_Pragma("GCC unroll 4") for (n = BLOCK / 4; n > 0; n /= 2) for (k = 0; k < n; k++) half[k] += half[k + n];
	return half[0];
}

/* The same for lanes in registers. */
static ALWAYS_INLINE double
wide_tree(const wide vector[VECTORS])
{
	double lane[BLOCK] __attribute__((aligned(64)));

	EACH_VECTOR(k)
	wide_store(lane + k * KERNELS_WIDTH, vector[k]);
	return lanes_tree(lane);
}

static ALWAYS_INLINE void
moment_sums_totals(struct moment_sums *s, double *d, double *squares)
{
	if (s->folded) {
		moment_sums_fold(s);
		*d = lanes_tree(s->d.high) + lanes_tree(s->d.low);
		*squares = lanes_tree(s->squares.high) + lanes_tree(s->squares.low);
		return;
	}
	*d = lanes_tree(s->d.recent);
	*squares = lanes_tree(s->squares.recent);
}

/* Masks for the lanes of a block: the last `n` lanes, the first `n` lanes (0 <= n <= BLOCK). */
static const int64_t lane_masks[3 * BLOCK] = {
	[BLOCK] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
};

static inline const int64_t *
lane_mask_last(size_t n)
{
	return lane_masks + n;
}

static inline const int64_t *
lane_mask_first(size_t n)
{
	return lane_masks + 2 * BLOCK - n;
}

static inline wide_bits
lane_mask_vector(const int64_t *mask, size_t vector)
{
	wide_bits bits;

	memcpy(&bits, mask + vector * KERNELS_WIDTH, sizeof(bits));
	return bits;
}

/*
 * Whether (mean - shift)^2 > 2 variance: then subtracting the mean's square costs too many digits (docs/MATH.md, rule
 * 2). False for sums that are not finite, which nothing would mend.
 */
static inline bool
moments_far(double n, double d, double squares)
{
	const double delta = d / n;

	return delta * delta > 2 * ((squares - d * delta) / n);
}
