/* SPDX-License-Identifier: MIT */
/*
 * The sums of the columns of a view with short runs, for any type of element, and moments from sums. Private to norm/.
 */
#pragma once

#include <string.h>

#include "norm/kernels/columns.h"
#include "norm/kernels/sum.h"

/* One sum a column: what was added since the last fold, and the total in two parts as in struct sum. */
struct column_sums {
	double recent[COLUMNS_MAX] LINE_ALIGNED;
	double high[COLUMNS_MAX] LINE_ALIGNED;
	double low[COLUMNS_MAX] LINE_ALIGNED;
};

static inline void
column_sums_init(struct column_sums *s, size_t width)
{
	size_t i;

	for (i = 0; i < width; i++)
		s->recent[i] = s->high[i] = s->low[i] = 0;
}

/* Adds `n` numbers to as many sums, and sets the numbers to 0. */
static inline void
sums_fold(double *restrict recent, double *restrict high, double *restrict low, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		sum_add_at(&high[i], &low[i], recent[i]);
		recent[i] = 0;
	}
}

/* Two sums a column, of numbers that are taken about the column's shift. */
struct columns_about {
	double shift[COLUMNS_MAX] LINE_ALIGNED;
	struct column_sums first, second;
};

static inline void
columns_about_init(struct columns_about *a, const struct columns *c, const double *shift, size_t width)
{
	columns_spread(c, shift, a->shift);
	column_sums_init(&a->first, width);
	column_sums_init(&a->second, width);
}

static inline void
columns_about_fold(struct columns_about *a, size_t width)
{
	sums_fold(a->first.recent, a->first.high, a->first.low, width);
	sums_fold(a->second.recent, a->second.high, a->second.low, width);
}

/* Adds one column of each feature, `step` columns apart. */
static inline void
column_sums_add(
    const double *high, const double *low, size_t features, size_t step, double *restrict sum, double *restrict rest)
{
	for (size_t f = 0; f < features; f++) {
		sum_add_at(&sum[f], &rest[f], high[f * step]);
		rest[f] += low[f * step];
	}
}

/*
 * Each feature's sum over its columns, of which `high` and `low` are the totals. The features take turns because the
 * additions of one wait for each other.
 */
static inline void
column_sums_features(const double *high, const double *low, const struct columns *c, double *restrict sum)
{
	double rest[COLUMNS_MAX];
	size_t row, i, f;

	for (f = 0; f < c->features; f++)
		sum[f] = rest[f] = 0;
	if (c->inner == 1)
		for (i = 0; i < c->rows * c->features; i += c->features)
			column_sums_add(high + i, low + i, c->features, 1, sum, rest);
	else
		for (row = 0; row < c->rows * c->features * c->inner; row += c->features * c->inner)
			for (i = row; i < row + c->inner; i++)
				column_sums_add(high + i, low + i, c->features, c->inner, sum, rest);
	for (f = 0; f < c->features; f++)
		sum[f] += rest[f];
}

/* What rounding takes from the mean shift + offset. */
static inline double
mean_low(double shift, double offset)
{
	struct sum mean = { shift, 0 };

	sum_add(&mean, offset);
	return mean.low;
}

/* The moments from the shift in *mean and the sums about it (equation 2). A NaN stays a NaN. */
static inline void
moments_finish(double n, double d, double squares, double *mean, double *var)
{
	double shift = d / n;
	double v = (squares - d * shift) / n;

	*mean += shift;
	*var = v < 0 ? 0 : v;
}

/* Equation 25, for many features: moments of `n` values each, from the sums about the shifts in `mean`. */
static inline void
sums_moments(uint64_t n, const double *restrict sum, const double *restrict square, size_t features,
    double *restrict mean, double *restrict var)
{
	const double share = 1 / (double)n;

	for (size_t f = 0; f < features; f++) {
		const double offset = sum[f] * share, v = (square[f] - sum[f] * offset) * share;

		mean[f] += offset;
		var[f] = v < 0 ? 0 : v;
	}
}
