/*
 * The forward pass, written over its input: one loop for values that share all four numbers (a long run of a feature), one
 * where each column has its own, and one for rows, where mean and rstd are the row's but weight and bias the position's. Each
 * computes in double, from left to right as the equation stands, rounds once, and notes whether what it wrote is finite.
 */
#include "norm/normalize.h"

#include <math.h>

#include "norm/columns.h"
#include "norm/element.h"
#include "norm/moments.h"

/* Rows whose moments are taken together, and the elements they may come to: few enough to stay in the first-level cache. */
#define ROWS_MAX ((size_t)64)
#define ROWS_ELEMENTS ((size_t)4096)

/* Weight and bias of a layer that has none, for as many positions as a loop takes at a time. */
struct identity {
	double weight[COLUMNS_MAX];
	double bias[COLUMNS_MAX];
};

static void
identity_init(struct identity *id)
{
	size_t i;

	for (i = 0; i < COLUMNS_MAX; i++) {
		id->weight[i] = 1;
		id->bias[i] = 0;
	}
}

#define REAL float
#define NAME(name) name##_float
#include "norm/normalize_body.h"
#undef NAME
#undef REAL

#define REAL double
#define NAME(name) name##_double
#include "norm/normalize_body.h"
#undef NAME
#undef REAL

#define REAL uint16_t
#define NAME(name) name##_half
#include "norm/normalize_body.h"
#undef NAME
#undef REAL

#define REAL uint16_t
#define NAME(name) name##_bfloat
#include "norm/normalize_body.h"
#undef NAME
#undef REAL

/* The two ways over a tensor, per type of element; the arguments are those of the body's functions. */
static const struct {
	bool (*by_feature)(void *, struct norm_view, const double *, const double *, const double *, const double *);
	bool (*row)(void *, size_t, double, double, const double *, const double *, const struct identity *);
} loops_of[] = {
	[NORM_FLOAT] = { by_feature_float, row_float },
	[NORM_DOUBLE] = { by_feature_double, row_double },
	[NORM_HALF] = { by_feature_half, row_half },
	[NORM_BFLOAT] = { by_feature_bfloat, row_bfloat },
};

void
normalize_rstd(const double *var, double eps, size_t features, double *rstd)
{
	size_t f;

	for (f = 0; f < features; f++)
		rstd[f] = 1 / sqrt(var[f] + eps);
}

bool
normalize_by_feature(enum norm_real real, void *x, struct norm_view view, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	return loops_of[real].by_feature(x, view, mean, rstd, weight, bias);
}

/* As many rows at a time as ROWS_ELEMENTS holds: their moments, then each row. */
bool
normalize_rows(enum norm_real real, void *x, size_t rows, size_t size, double eps, const double *weight, const double *bias)
{
	const size_t bytes = size * norm_real_size(real);
	const size_t block = size >= ROWS_ELEMENTS ? 1 : columns_min(ROWS_MAX, ROWS_ELEMENTS / size);
	double mean[ROWS_MAX], rstd[ROWS_MAX];
	struct identity id;
	unsigned char *at = x;
	bool finite = true;
	size_t r, i, n;

	identity_init(&id);
	for (r = 0; r < rows; r += n) {
		n = columns_min(block, rows - r);
		moments(real, at, (struct norm_view){ 1, n, size }, mean, rstd);
		normalize_rstd(rstd, eps, n, rstd);
		for (i = 0; i < n; i++, at += bytes)
			finite &= loops_of[real].row(at, size, mean[i], rstd[i], weight, bias, &id);
	}
	return finite;
}
