/*
 * What the loops of moments share whatever the element: sums of doubles in lanes, the sums of a step's columns, and the end of
 * the second pass. Private to norm/.
 */
#ifndef NORM_MOMENTS_SHARED_H
#define NORM_MOMENTS_SHARED_H

#include <string.h>

#include "norm/columns.h"
#include "norm/sum.h"

/*
 * A function of its own whose lanes leave through memory: where gcc sees only scalars use them, it does not find the vectors in
 * them (measured: half the speed).
 */
#define LANES_APART __attribute__((noinline))

/* Sums of a chunk of doubles: element i counts in lane i mod LANES. */
static LANES_APART void
lanes_sum(const double *restrict x, size_t n, double *restrict sum)
{
	double lane[LANES] = { 0 };
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++)
			lane[k] += x[i + k];
	memcpy(sum, lane, sizeof(lane));
	for (; i < n; i++)
		sum[i % LANES] += x[i];
}

/* Of their squares. */
static LANES_APART void
lanes_squares(const double *restrict x, size_t n, double *restrict sum)
{
	double lane[LANES] = { 0 };
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++)
			lane[k] += x[i + k] * x[i + k];
	memcpy(sum, lane, sizeof(lane));
	for (; i < n; i++)
		sum[i % LANES] += x[i] * x[i];
}

/* Sums of a step's columns: what was added since the last fold, and the total so far. */
struct column_sums {
	double recent[COLUMNS_MAX];
	struct sum total[COLUMNS_MAX];
};

/* Steps between folds: as few roundings in a row as in a chunk's lane. */
#define FOLD_STEPS (CHUNK / LANES)

static inline void
column_sums_init(struct column_sums *s, size_t width)
{
	size_t i;

	for (i = 0; i < width; i++) {
		s->recent[i] = 0;
		s->total[i] = (struct sum){ 0, 0 };
	}
}

static inline void
column_sums_fold(struct column_sums *s, size_t width)
{
	size_t i;

	for (i = 0; i < width; i++) {
		sum_add(&s->total[i], s->recent[i]);
		s->recent[i] = 0;
	}
}

/* The sum over all columns of the block's feature `f`. */
static inline double
column_sums_feature(const struct column_sums *s, const struct columns *c, size_t f)
{
	struct sum all = { 0, 0 };
	size_t row, i, at;

	for (row = 0; row < c->rows; row++)
		for (i = 0; i < c->inner; i++) {
			at = (row * c->features + f) * c->inner + i;
			sum_add(&all, s->total[at].high);
			all.low += s->total[at].low;
		}
	return sum_total(all);
}

/* The results from the mean of pass 1 and the sums of pass 2 (equation 2); a NaN stays one. */
static inline void
moments_finish(double n, double d, double squares, double *mean, double *var)
{
	double shift = d / n;
	double v = (squares - d * shift) / n;

	*mean += shift;
	*var = v < 0 ? 0 : v;
}

#endif
