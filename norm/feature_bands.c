/* SPDX-License-Identifier: MIT */
#include "norm/feature_bands.h"

#include "norm/kernels/columns.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"

size_t
feature_bands(struct norm_view view)
{
	const bool large = view.outer * view.feature * view.inner >= CUT_FROM;
	const bool few =
	    view.feature <= FEATURE_BANDS_FEATURES && cut_most(view.feature, cut_step(view)) < FEATURE_BANDS_MAX;

	return large && few ? columns_min(view.outer, FEATURE_BANDS_MAX) : 1;
}

/* One band of a view: its samples, where they begin, and its numbers. */
struct band {
	struct norm_view view;
	size_t at; /* bytes into the tensors */
	double *numbers;
};

/* The numbers of band i: three a feature, an array each. */
static size_t
numbers_at(struct norm_view view, size_t i)
{
	return 3 * i * view.feature;
}

static struct band
band_of(enum norm_real real, struct norm_view view, size_t i, double *scratch)
{
	const struct norm_part outer = cut_part(view.outer, 1, feature_bands(view), i);

	return (struct band){
		.view = { outer.end - outer.first, view.feature, view.inner },
		.at = outer.first * view.feature * view.inner * norm_real_size(real),
		.numbers = scratch + numbers_at(view, i),
	};
}

void
feature_bands_moments(
    enum norm_real real, const void *x, struct norm_view view, struct norm_part bands, double *scratch)
{
	struct band b;

	for (; bands.first < bands.end; bands.first++) {
		b = band_of(real, view, bands.first, scratch);
		kernels_best()->of[real]->moments_part((const unsigned char *)x + b.at, b.view, 0, view.feature,
		    b.numbers, b.numbers + view.feature, b.numbers + 2 * view.feature);
	}
}

/* What the moments of one feature are joined from. */
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

/* Each band's variance, and how far its mean is from that of all: of positive numbers, so that no digits are lost. */
static void
join_feature(struct banded *b, double first, double *mean, double *var)
{
	const double offset = weighted(b, b->offset);

	for (size_t i = 0; i < b->bands; i++)
		b->var[i] += (b->offset[i] - offset) * (b->offset[i] - offset);
	*mean = first + offset;
	*var = weighted(b, b->var);
}

void
feature_bands_join_moments(struct norm_view view, const double *scratch, double *mean, double *var)
{
	struct banded b = { .bands = feature_bands(view) };
	const double *numbers;

	for (size_t i = 0; i < b.bands; i++) {
		const struct norm_part outer = cut_part(view.outer, 1, b.bands, i);

		b.share[i] = (double)(outer.end - outer.first) / (double)view.outer;
	}
	for (size_t f = 0; f < view.feature; f++) {
		for (size_t i = 0; i < b.bands; i++) {
			numbers = scratch + numbers_at(view, i) + f;
			b.offset[i] = (numbers[0] - scratch[f]) + numbers[view.feature];
			b.var[i] = numbers[2 * view.feature];
		}
		join_feature(&b, scratch[f], &mean[f], &var[f]);
	}
}

void
feature_bands_sums(enum norm_real real, const void *x, const void *g, struct norm_view view, struct norm_part bands,
    const double *mean, const double *rstd, double *scratch)
{
	struct band b;

	for (; bands.first < bands.end; bands.first++) {
		b = band_of(real, view, bands.first, scratch);
		kernels_best()->of[real]->gradients_part((const unsigned char *)x + b.at,
		    (const unsigned char *)g + b.at, b.view, 0, view.feature, mean, rstd, b.numbers,
		    b.numbers + view.feature);
	}
}

/* One of the two sums of each feature over all bands. */
static void
join(const double *of_band, struct norm_view view, double *total)
{
	struct sum s;

	for (size_t f = 0; f < view.feature; f++) {
		s = (struct sum){ 0, 0 };
		for (size_t i = 0; i < feature_bands(view); i++)
			sum_add(&s, of_band[numbers_at(view, i) + f]);
		total[f] = sum_total(s);
	}
}

void
feature_bands_join_sums(struct norm_view view, const double *scratch, double *sum, double *product)
{
	join(scratch, view, sum);
	join(scratch + view.feature, view, product);
}
