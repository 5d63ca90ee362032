/* SPDX-License-Identifier: MIT */
/*
 * Adding up in double so that the length of the sum does not show in its last digits: by Knuth's TwoSum, which keeps
 * what each addition rounds away. Loops over elements add up a few plainly first, in lanes (norm/kernels/moment_sums.h)
 * or columns (norm/kernels/moments_shared.h), so that it is not paid for each. Private to norm/.
 *
 * D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B. It relies on every operation being rounded on its
 * own: no -ffast-math, no x87 registers.
 */
#ifndef NORM_KERNELS_SUM_H
#define NORM_KERNELS_SUM_H

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

/* The same to one of many sums, whose two parts stand in two arrays, so that a loop over them is one over vectors. */
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

#endif
