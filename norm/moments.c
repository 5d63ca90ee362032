/*
 * Moments. Long runs, and those of one row each, are summed along inner; other short ones column by column (norm/columns.h).
 * Both read the tensor twice, a feature's (or a block of features') second pass right after its first, so that it often
 * comes from the cache.
 *
 * Pass 1 adds up x - x[0], pass 2 the deviations d from the mean of pass 1 and their squares. The sum of d, which would be
 * 0 in exact arithmetic, then corrects both results: the variance as Chan, Golub and LeVeque have it, and the mean's last
 * digits.
 */
#include "norm/moments.h"

#include <string.h>

#include "norm/columns.h"
#include "norm/element.h"
#include "norm/sum.h"

/*
 * A function of its own whose lanes leave through memory: where gcc sees only scalars use them, it does not find the vectors in
 * them (measured: half the speed).
 */
#define LANES_APART __attribute__((noinline))

/* Sums of a step's columns: what was added since the last fold, and the total so far. */
struct column_sums {
	double recent[COLUMNS_MAX];
	struct sum total[COLUMNS_MAX];
};

/* Steps between folds: as few roundings in a row as in a chunk's lane. */
#define FOLD_STEPS (CHUNK / LANES)

static void
column_sums_init(struct column_sums *s)
{
	*s = (struct column_sums){ { 0 }, { { 0, 0 } } };
}

static void
column_sums_fold(struct column_sums *s, size_t width)
{
	size_t i;

	for (i = 0; i < width; i++) {
		sum_add(&s->total[i], s->recent[i]);
		s->recent[i] = 0;
	}
}

/* The sum over all columns of the block's feature `f`. */
static double
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
static void
moments_finish(double n, double d, double squares, double *mean, double *var)
{
	double shift = d / n;
	double v = (squares - d * shift) / n;

	*mean += shift;
	*var = v < 0 ? 0 : v;
}

#define REAL float
#define NAME(name) name##_float
#include "norm/moments_body.h"
#undef NAME
#undef REAL

#define REAL double
#define NAME(name) name##_double
#include "norm/moments_body.h"
#undef NAME
#undef REAL

#define REAL uint16_t
#define NAME(name) name##_half
#include "norm/moments_body.h"
#undef NAME
#undef REAL

#define REAL uint16_t
#define NAME(name) name##_bfloat
#include "norm/moments_body.h"
#undef NAME
#undef REAL

static void (*const moments_of[])(const void *, struct norm_view, double *, double *) = {
	[NORM_FLOAT] = moments_float,
	[NORM_DOUBLE] = moments_double,
	[NORM_HALF] = moments_half,
	[NORM_BFLOAT] = moments_bfloat,
};

void
moments(enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	moments_of[real](x, view, mean, var);
}
