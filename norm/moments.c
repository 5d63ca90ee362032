/* SPDX-License-Identifier: MIT */
#include "norm/moments.h"

#include "norm/feature_bands.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"

static void
moments_in_bands(enum norm_real real, const void *x, struct norm_view view, size_t bands, double *mean, double *var)
{
	double scratch[FEATURE_BANDS_SCRATCH];

	feature_bands_moments(real, x, view, (struct norm_part){ 0, bands }, scratch);
	feature_bands_join_moments(view, scratch, mean, var);
}

void
moments(enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	const size_t bands = feature_bands(view);

	if (bands > 1)
		moments_in_bands(real, x, view, bands, mean, var);
	else
		kernels_best()->of[real]->moments(x, view, mean, var);
}

void
moments_part(
    enum norm_real real, const void *x, struct norm_view view, struct norm_part features, double *mean, double *var)
{
	kernels_best()->of[real]->moments_part(x, view, features.first, features.end, mean, NULL, var);
}

void
mean_squares(enum norm_real real, const void *x, struct norm_view view, double *square)
{
	kernels_best()->of[real]->squares(x, view, square);
}

static double
average(const double *value, size_t count, size_t stride)
{
	struct sum s = { 0, 0 };
	size_t i;

	for (i = 0; i < count; i++)
		sum_add(&s, value[i * stride]);
	return sum_total(s) / (double)count;
}

void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var)
{
	size_t c;

	for (c = 0; c < channels; c++) {
		mean[c] = average(means + c, samples, channels);
		var[c] = average(vars + c, samples, channels);
	}
}
