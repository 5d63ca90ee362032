/* SPDX-License-Identifier: MIT */
#include "norm/backward.h"

#include "norm/kernels/backward_terms.h"
#include "norm/feature_bands.h"
#include "norm/kernels/kernels.h"

static void
sums_in_bands(enum norm_real real, const void *x, const void *g, struct norm_view view, size_t bands,
    const double *mean, const double *rstd, double *sum, double *product)
{
	double scratch[FEATURE_BANDS_SCRATCH];

	feature_bands_sums(real, x, g, view, (struct norm_part){ 0, bands }, mean, rstd, scratch);
	feature_bands_join_sums(view, scratch, sum, product);
}

void
backward_sums(enum norm_real real, const void *x, const void *g, struct norm_view view, const double *mean,
    const double *rstd, double *sum, double *product)
{
	const size_t bands = feature_bands(view);

	if (bands > 1)
		sums_in_bands(real, x, g, view, bands, mean, rstd, sum, product);
	else
		backward_sums_part(real, x, g, view, (struct norm_part){ 0, view.feature }, mean, rstd, sum, product);
}

void
backward_sums_part(enum norm_real real, const void *x, const void *g, struct norm_view view, struct norm_part features,
    const double *mean, const double *rstd, double *sum, double *product)
{
	kernels_best()->of[real]->gradients_part(x, g, view, features.first, features.end, mean, rstd, sum, product);
}

static struct coefficients
coefficients_in(double *scratch, size_t features)
{
	return (struct coefficients){ .by_g = scratch, .by_x = scratch + features, .constant = scratch + 2 * features };
}

void
backward_coefficients(uint64_t n, size_t features, const double *rstd, const double *weight, const double *sum,
    const double *product, double *scratch)
{
	const struct coefficients c = coefficients_in(scratch, features);

	for (size_t f = 0; f < features; f++)
		(void)coefficients_set(&c, f, weight, rstd, (double)n, sum, product);
}

bool
backward_by_coefficients(enum norm_real real, const void *x, void *g, struct norm_view view, const double *mean,
    const double *rstd, double *scratch)
{
	const struct coefficients c = coefficients_in(scratch, view.feature);

	return kernels_best()->of[real]->backward(x, g, view, mean, rstd, &c);
}

bool
backward_by_sums(enum norm_real real, const void *x, void *g, struct norm_view view, uint64_t n, const double *mean,
    const double *rstd, const double *weight, const double *sum, const double *product, double *scratch)
{
	backward_coefficients(n, view.feature, rstd, weight, sum, product, scratch);
	return backward_by_coefficients(real, x, g, view, mean, rstd, scratch);
}

bool
backward_by_feature(enum norm_real real, const void *x, void *g, struct norm_view view, size_t n, const double *mean,
    const double *rstd, const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct norm_part all = { 0, view.feature };
	bool finite;

	if (feature_bands(view) == 1)
		return backward_by_feature_part(
		    real, x, g, view, all, n, mean, rstd, weight, grad_weight, grad_bias, scratch);
	backward_sums(real, x, g, view, mean, rstd, grad_bias, grad_weight);
	finite = backward_by_sums(real, x, g, view, n, mean, rstd, weight, grad_bias, grad_weight, scratch);
	for (size_t f = 0; f < view.feature; f++)
		grad_weight[f] *= rstd[f];
	return finite;
}

bool
backward_by_feature_part(enum norm_real real, const void *x, void *g, struct norm_view view, struct norm_part features,
    size_t n, const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias,
    double *scratch)
{
	const struct coefficients c = coefficients_in(scratch, view.feature);
	bool finite = kernels_best()->of[real]->backward_part(
	    x, g, view, features.first, features.end, n, mean, rstd, weight, grad_bias, grad_weight, &c);

	for (size_t f = features.first; f < features.end; f++)
		grad_weight[f] *= rstd[f];
	return finite;
}

void
backward_clip(enum norm_real real, void *g, const void *y, size_t count, double limit)
{
	kernels_best()->of[real]->clip_backward(g, y, count, limit);
}
