/* SPDX-License-Identifier: MIT */
/*
 * Sums in double whose error does not grow with their length: Knuth's TwoSum keeps what each addition rounds away. To
 * save time, loops over elements first add up a few values plainly, in lanes (norm/kernels/lane_sums.h) or columns
 * (norm/kernels/column_sums.h). Private to norm/.
 *
 * D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B. It requires that every operation is rounded by
 * itself: no -ffast-math, no x87 registers.
 */
#pragma once

#include <stddef.h>

/* Plain additions between two folds: the largest number of roundings in a row. */
#define STEPS ((size_t)64)

struct sum {
	double high;
	double low; /* what the additions to `high` have rounded away */
};

static inline void
sum_add(struct sum *s, double x)
{
	double high = s->high + x;
	double part = high - s->high;

	s->low += (s->high - (high - part)) + (x - part);
	s->high = high;
}

/* The same for one of many sums in two arrays, so that a loop over them can be vectorized. */
static inline void
sum_add_at(double *high, double *low, double x)
{
	struct sum s = { *high, *low };

	sum_add(&s, x);
	*high = s.high;
	*low = s.low;
}

static inline double
sum_total(struct sum s)
{
	return s.high + s.low;
}
