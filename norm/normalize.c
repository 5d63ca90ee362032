/* SPDX-License-Identifier: MIT */
#include "norm/normalize.h"

#include <math.h>

#include "norm/kernels/columns.h"
#include "norm/feature_bands.h"
#include "norm/kernels/kernels.h"
#include "norm/moments.h"

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
	return kernels_best()->of[real]->by_feature(x, view, mean, rstd, weight, bias);
}

/* Some elements of a view that lie one after another and are a view themselves, of which `feature` is the first. */
struct stretch {
	struct norm_view view;
	size_t run; /* the first, counted over the whole tensor */
	size_t feature;
};

/*
 * The longest stretch that begins with the part: what is left of a run, whole runs up to the last feature, or whole
 * indices of outer.
 */
static struct stretch
stretch_first(struct norm_view v, struct norm_part elements)
{
	const size_t left = elements.end - elements.first, into_run = elements.first % v.inner;
	struct stretch s = { { 1, 1, 1 }, elements.first / v.inner, elements.first / v.inner % v.feature };

	if (into_run > 0 || left < v.inner) {
		s.view.inner = columns_min(v.inner - into_run, left);
		return s;
	}
	s.view.inner = v.inner;
	if (s.feature > 0 || left / v.inner < v.feature) {
		s.view.feature = columns_min(v.feature - s.feature, left / v.inner);
		return s;
	}
	s.view.feature = v.feature;
	s.view.outer = left / v.inner / v.feature;
	return s;
}

/* A parameter of a feature and those after it; NULL stays. */
static const double *
from(const double *parameter, size_t feature)
{
	return parameter != NULL ? parameter + feature : NULL;
}

bool
normalize_by_feature_part(enum norm_real real, void *x, struct norm_view view, struct norm_part elements,
    const double *mean, const double *rstd, const double *weight, const double *bias)
{
	unsigned char *at = (unsigned char *)x + elements.first * norm_real_size(real);
	bool finite = true;
	struct stretch s;
	size_t n;

	for (; elements.first < elements.end; elements.first += n) {
		s = stretch_first(view, elements);
		n = s.view.outer * s.view.feature * s.view.inner;
		finite &= kernels_best()->of[real]->by_feature(
		    at, s.view, mean + s.feature, rstd + s.feature, from(weight, s.feature), from(bias, s.feature));
		at += n * norm_real_size(real);
	}
	return finite;
}

bool
normalize_batch(enum norm_real real, void *x, struct norm_view view, double eps, const double *weight,
    const double *bias, double *mean, double *var, double *rstd)
{
	const struct norm_part all = { 0, view.feature };

	if (feature_bands(view) == 1)
		return normalize_batch_part(real, x, view, all, eps, weight, bias, mean, var, rstd);
	moments(real, x, view, mean, var);
	normalize_rstd(var, eps, view.feature, rstd);
	return normalize_by_feature(real, x, view, mean, rstd, weight, bias);
}

bool
normalize_batch_part(enum norm_real real, void *x, struct norm_view view, struct norm_part features, double eps,
    const double *weight, const double *bias, double *mean, double *var, double *rstd)
{
	return kernels_best()->of[real]->batch_part(
	    x, view, features.first, features.end, eps, weight, bias, mean, var, rstd);
}

bool
normalize_by_sample(enum norm_real real, void *x, struct norm_view view, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	const struct norm_part all = { 0, view.outer * view.feature * view.inner };

	return normalize_by_sample_part(real, x, view, all, mean, rstd, weight, bias);
}

/* A stretch ends with its sample, after which weight and bias begin anew. */
bool
normalize_by_sample_part(enum norm_real real, void *x, struct norm_view view, struct norm_part elements,
    const double *mean, const double *rstd, const double *weight, const double *bias)
{
	const size_t sample = view.feature * view.inner;
	unsigned char *at = (unsigned char *)x + elements.first * norm_real_size(real);
	bool finite = true;
	struct stretch s;
	size_t n;

	for (; elements.first < elements.end; elements.first += n) {
		n = columns_min(elements.end - elements.first, sample - elements.first % sample);
		s = stretch_first(view, (struct norm_part){ elements.first, elements.first + n });
		n = s.view.feature * s.view.inner;
		finite &= kernels_best()->of[real]->by_feature(
		    at, s.view, mean + s.run, rstd + s.run, from(weight, s.feature), from(bias, s.feature));
		at += n * norm_real_size(real);
	}
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

/* From the end, since both are the same array: each channel's number is that of its group of `each`. */
static void
spread(double *value, size_t each, size_t channels)
{
	size_t c;

	for (c = channels; c-- > 0;)
		value[c] = value[c / each];
}

void
normalize_spread(double *value, size_t groups, size_t channels)
{
	spread(value, channels / groups, channels);
}

/* Some groups of one sample. */
struct some_groups {
	size_t count;
	size_t channels; /* of each */
	size_t inner;
};

/*
 * They begin at x; weight and bias are of the first channel. No group is in pieces, unless there is one only, and then
 * all of its channels have the same two numbers.
 */
static bool
normalize_some_groups(const struct kernels_of_real *kernels, unsigned char *x, size_t element, struct some_groups some,
    double eps, const double *weight, const double *bias)
{
	const size_t channels = some.count * some.channels, block = columns_min(channels, COLUMNS_MAX);
	double mean[COLUMNS_MAX], rstd[COLUMNS_MAX];
	bool finite;
	size_t c, n;

	kernels->moments(x, (struct norm_view){ 1, some.count, some.channels * some.inner }, mean, rstd);
	finite = all_finite(rstd, some.count);
	normalize_rstd(rstd, eps, some.count, rstd);
	spread(mean, columns_min(some.channels, block), block);
	spread(rstd, columns_min(some.channels, block), block);
	for (c = 0; c < channels; c += n) {
		n = columns_min(block, channels - c);
		finite &= kernels->by_feature(x + c * some.inner * element, (struct norm_view){ 1, n, some.inner },
		    mean, rstd, from(weight, c), from(bias, c));
	}
	return finite;
}

bool
normalize_groups(enum norm_real real, void *x, struct norm_view view, size_t groups, double eps, const double *weight,
    const double *bias)
{
	return normalize_groups_part(
	    real, x, view, groups, (struct norm_part){ 0, view.outer * groups }, eps, weight, bias);
}

/*
 * As many groups at a time as have their numbers on the stack, and few enough that their values are read again from the
 * cache.
 */
bool
normalize_groups_part(enum norm_real real, void *x, struct norm_view view, size_t groups, struct norm_part part,
    double eps, const double *weight, const double *bias)
{
	const size_t channels = view.feature / groups, size = channels * view.inner, element = norm_real_size(real);
	const size_t most = columns_min(COLUMNS_MAX / columns_min(channels, COLUMNS_MAX), 1 + GROUPS_KEPT / size);
	unsigned char *at = (unsigned char *)x + part.first * size * element;
	bool finite = true;
	size_t first, n;

	for (; part.first < part.end; part.first += n, at += n * size * element) {
		first = part.first % groups;
		n = columns_min(most, columns_min(groups - first, part.end - part.first));
		finite &= normalize_some_groups(kernels_best()->of[real], at, element,
		    (struct some_groups){ n, channels, view.inner }, eps, from(weight, first * channels),
		    from(bias, first * channels));
	}
	return finite;
}

bool
normalize_rows(enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps, const double *weight,
    const double *bias)
{
	struct identity id;

	identity_init(&id);
	return kernels_best()->of[real]->rows(x, rows, size, centered, eps, weight, bias, &id);
}

bool
normalize_rows_by(enum norm_real real, void *x, size_t rows, size_t size, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	struct identity id;

	identity_init(&id);
	return kernels_best()->of[real]->rows_by(x, rows, size, mean, rstd, weight, bias, &id);
}

void
normalize_clip(enum norm_real real, void *x, size_t count, double limit)
{
	kernels_best()->of[real]->clip(x, count, limit);
}
