#include "norm/normalize.h"

#include <math.h>

#include "norm/columns.h"
#include "norm/kernels.h"

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

bool
normalize_batch(enum norm_real real, void *x, struct norm_view view, double eps, const double *weight, const double *bias,
    double *mean, double *var, double *rstd)
{
	return kernels_best()->of[real].batch(x, view, eps, weight, bias, mean, var, rstd);
}

bool
normalize_by_sample(enum norm_real real, void *x, struct norm_view view, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	const struct norm_view sample = { 1, view.feature, view.inner };
	const size_t bytes = view.feature * view.inner * norm_real_size(real);
	unsigned char *at = x;
	bool finite = true;
	size_t n;

	for (n = 0; n < view.outer; n++, at += bytes, mean += view.feature, rstd += view.feature)
		finite &= kernels_best()->of[real].by_feature(at, sample, mean, rstd, weight, bias);
	return finite;
}

/* From 1 / sqrt(var + eps) it would not show that a variance has overflowed: 0 is finite. */
static bool
all_finite(const double *var, size_t n)
{
	bool finite = true;
	size_t i;

	for (i = 0; i < n; i++)
		finite &= isfinite(var[i]) != 0;
	return finite;
}

/* From the end, since both are the same array. */
void
normalize_spread(double *value, size_t groups, size_t channels)
{
	const size_t in_group = channels / groups;
	size_t c;

	for (c = channels; c-- > 0;)
		value[c] = value[c / in_group];
}

bool
normalize_groups(enum norm_real real, void *x, struct norm_view view, size_t groups, double eps, const double *weight,
    const double *bias, double *scratch)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
	const struct norm_view grouped = { 1, groups, view.feature / groups * view.inner };
	const struct norm_view sample = { 1, view.feature, view.inner };
	const size_t bytes = view.feature * view.inner * norm_real_size(real);
	double *mean = scratch, *rstd = scratch + view.feature;
	unsigned char *at = x;
	bool finite = true;
	size_t n;

	for (n = 0; n < view.outer; n++, at += bytes) {
		kernels->moments(at, grouped, mean, rstd);
		finite &= all_finite(rstd, groups);
		normalize_rstd(rstd, eps, groups, rstd);
		normalize_spread(mean, groups, view.feature);
		normalize_spread(rstd, groups, view.feature);
		finite &= kernels->by_feature(at, sample, mean, rstd, weight, bias);
	}
	return finite;
}

bool
normalize_rows(
    enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps, const double *weight, const double *bias)
{
	struct identity id;

	identity_init(&id);
	return kernels_best()->of[real].rows(x, rows, size, centered, eps, weight, bias, &id);
}

bool
normalize_rows_by(enum norm_real real, void *x, size_t rows, size_t size, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	struct identity id;

	identity_init(&id);
	return kernels_best()->of[real].rows_by(x, rows, size, mean, rstd, weight, bias, &id);
}

void
normalize_clip(enum norm_real real, void *x, size_t count, double limit)
{
	kernels_best()->of[real].clip(x, count, limit);
}
