/* SPDX-License-Identifier: MIT */
#include "norm/moments.h"

#include "norm/feature_bands.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"

KERNELS_PART(moments_part, moments)

const struct norm_op norm_moments = { .part = moments_part, .cut = cut_features, .in_bands = &feature_bands_moments };

static double
average(const double *value, size_t count, size_t stride)
{
	struct sum s = { 0, 0 };

	for (size_t i = 0; i < count; i++)
		sum_add(&s, value[i * stride]);
	return sum_total(s) / (double)count;
}

void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var)
{
	for (size_t c = 0; c < channels; c++) {
		mean[c] = average(means + c, samples, channels);
		var[c] = average(vars + c, samples, channels);
	}
}
