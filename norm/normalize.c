#include "norm/normalize.h"

#include <math.h>

#include "norm/columns.h"
#include "norm/kernels.h"

/* Rows whose moments are taken together, and the elements they may come to: few enough to stay in the first-level cache. */
#define ROWS_MAX ((size_t)64)
#define ROWS_ELEMENTS ((size_t)4096)

static void
identity_init(struct identity *id)
{
	size_t i;

	for (i = 0; i < COLUMNS_MAX; i++) {
		id->weight[i] = 1;
		id->bias[i] = 0;
	}
}

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
	return kernels_best()->of[real].by_feature(x, view, mean, rstd, weight, bias);
}

/* As many rows at a time as ROWS_ELEMENTS holds: their moments, then each row. */
bool
normalize_rows(enum norm_real real, void *x, size_t rows, size_t size, double eps, const double *weight, const double *bias)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
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
		kernels->moments(at, (struct norm_view){ 1, n, size }, mean, rstd);
		normalize_rstd(rstd, eps, n, rstd);
		for (i = 0; i < n; i++, at += bytes)
			finite &= kernels->row(at, size, mean[i], rstd[i], weight, bias, &id);
	}
	return finite;
}
