/* SPDX-License-Identifier: MIT */
#include "norm/feature_bands.h"

#include "norm/kernels/columns.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"

size_t
feature_bands(struct norm_view view)
{
	const bool large = norm_view_elements(view) >= CUT_FROM;
	const bool few =
	    view.feature <= FEATURE_BANDS_FEATURES && cut_most(view.feature, cut_step(view)) < FEATURE_BANDS_MAX;

	return large && few ? columns_min(view.outer, FEATURE_BANDS_MAX) : 1;
}

static struct norm_cut
cut_bands(const struct norm_pass *p)
{
	return (struct norm_cut){ feature_bands(p->view), 1 };
}

static size_t
bands_scratch(struct norm_view view)
{
	return 3 * feature_bands(view) * view.feature;
}

/* The numbers of band i: three arrays, a double a feature each. */
static double *
numbers_of(const struct norm_pass *p, size_t i)
{
	return p->scratch + 3 * i * p->view.feature;
}

/* The same pass over band i, with its numbers as results. */
static struct norm_pass
band_of(const struct norm_pass *p, size_t i)
{
	const struct norm_part outer = cut_part(p->view.outer, 1, feature_bands(p->view), i);
	const size_t first = outer.first * p->view.feature * p->view.inner;
	struct norm_pass band = *p;

	band.view.outer = outer.end - outer.first;
	band.x = norm_pass_x(p, first);
	band.y = norm_pass_y(p, first);
	band.mean = band.grad_bias = numbers_of(p, i);
	band.mean_low = band.grad_weight = numbers_of(p, i) + p->view.feature;
	band.var = numbers_of(p, i) + 2 * p->view.feature;
	return band;
}

static bool
run_bands(const struct norm_pass *p, struct norm_part bands, kernel *run)
{
	for (; bands.first < bands.end; bands.first++) {
		const struct norm_pass band = band_of(p, bands.first);

		(void)run(&band, (struct norm_part){ 0, p->view.feature });
	}
	return true;
}

static bool
moments_part(const struct norm_pass *p, struct norm_part bands)
{
	return run_bands(p, bands, kernels_for(p)->moments);
}

static bool
sums_part(const struct norm_pass *p, struct norm_part bands)
{
	return run_bands(p, bands, kernels_for(p)->sums);
}

/* The numbers that the moments of one feature are joined from. */
struct banded {
	size_t bands;
	double share[FEATURE_BANDS_MAX];  /* of all values */
	double offset[FEATURE_BANDS_MAX]; /* of the mean, from the first band's */
	double var[FEATURE_BANDS_MAX];
};

static double
weighted(const struct banded *b, const double *value)
{
	struct sum s = { 0, 0 };

	for (size_t i = 0; i < b->bands; i++)
		sum_add(&s, b->share[i] * value[i]);
	return sum_total(s);
}

/* Adds up each band's variance and its mean's squared distance from the mean: positive numbers lose no digits. */
static void
join_feature(struct banded *b, double first, double *mean, double *var)
{
	const double offset = weighted(b, b->offset);

	for (size_t i = 0; i < b->bands; i++)
		b->var[i] += (b->offset[i] - offset) * (b->offset[i] - offset);
	*mean = first + offset;
	*var = weighted(b, b->var);
}

static void
join_moments(const struct norm_pass *p)
{
	const struct norm_view view = p->view;
	struct banded b = { .bands = feature_bands(view) };
	const double *numbers;

	for (size_t i = 0; i < b.bands; i++) {
		const struct norm_part outer = cut_part(view.outer, 1, b.bands, i);

		b.share[i] = (double)(outer.end - outer.first) / (double)view.outer;
	}
	for (size_t f = 0; f < view.feature; f++) {
		for (size_t i = 0; i < b.bands; i++) {
			numbers = numbers_of(p, i) + f;
			b.offset[i] = (numbers[0] - p->scratch[f]) + numbers[view.feature];
			b.var[i] = numbers[2 * view.feature];
		}
		join_feature(&b, p->scratch[f], &p->mean[f], &p->var[f]);
	}
}

const struct norm_op feature_bands_moments = {
	.part = moments_part,
	.cut = cut_bands,
	.end = join_moments,
	.scratch = bands_scratch,
};

/* The total over all bands of the numbers in array `array`. */
static void
join(const struct norm_pass *p, size_t array, double *total)
{
	const size_t bands = feature_bands(p->view), features = p->view.feature;

	for (size_t f = 0; f < features; f++) {
		struct sum s = { 0, 0 };

		for (size_t i = 0; i < bands; i++)
			sum_add(&s, numbers_of(p, i)[array * features + f]);
		total[f] = sum_total(s);
	}
}

static void
join_sums(const struct norm_pass *p)
{
	join(p, 0, p->grad_bias);
	join(p, 1, p->grad_weight);
}

const struct norm_op feature_bands_sums = {
	.part = sums_part,
	.cut = cut_bands,
	.end = join_sums,
	.scratch = bands_scratch,
};
