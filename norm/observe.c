/* SPDX-License-Identifier: MIT */
/*
 * The forward pass that also measures what it normalizes (norm/pass.h). The tensor is read once, so the sums are about
 * a shift that is known before: 0, or the first value of each feature (docs/MATH.md, rule 7). They are made in bands of
 * outer and joined, as in norm/feature_bands.c; but bands, and blocks of features within them, are shared out.
 */
#include <math.h>

#include "norm/kernels/columns.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"
#include "norm/widen.h"

/* In a tensor that is shared out, a band has so many values of a feature that its two sums take little memory. */
#define BAND_VALUES ((size_t)256)
#define BANDS_MAX ((size_t)64)

static size_t
bands_of(struct norm_view view)
{
	const size_t most = columns_min(columns_min(norm_view_count(view) / BAND_VALUES, view.outer), BANDS_MAX);

	return norm_view_elements(view) >= CUT_FROM && most > 0 ? most : 1;
}

/* Blocks of features that are computed together. */
static size_t
blocks_of(struct norm_view view)
{
	return cut_most(view.feature, cut_step(view));
}

static struct norm_cut
cut_blocks(const struct norm_pass *p)
{
	return (struct norm_cut){ bands_of(p->view) * blocks_of(p->view), 1 };
}

static size_t
observe_scratch(struct norm_view view)
{
	return 2 * bands_of(view) * view.feature;
}

/* The shift of at least so many values is chosen by PROBES of them; that of fewer is the first. */
#define PROBED_FROM ((size_t)32)
#define PROBES ((size_t)4)

/* A first value is near 0 if it is at most so many times as far from 0 as from another probe. */
#define NEAR 16.0

/* The value `at`, of norm_view_count(), of every feature. */
static void
values_at(const struct norm_pass *p, size_t at, double *restrict value)
{
	const struct norm_view v = p->view;
	const size_t first = at / v.inner * v.feature * v.inner + at % v.inner;

	if (v.inner == 1)
		norm_widen(p->real, norm_pass_y(p, first), v.feature, value);
	else
		for (size_t f = 0; f < v.feature; f++)
			norm_widen(p->real, norm_pass_y(p, first + f * v.inner), 1, &value[f]);
}

/*
 * The shifts, before any value is overwritten: 0 where the first value is near it, because the sums of floats about 0
 * take fewest instructions; else the first value. Equal values are not near 0, unless they are 0.
 */
static void
observe_begin(const struct norm_pass *p)
{
	const size_t n = norm_view_count(p->view), features = p->view.feature;
	double *restrict first = p->mean, *restrict spread = p->scratch, *restrict other = spread + features;

	values_at(p, 0, first);
	if (n < PROBED_FROM || p->count != n || p->real == NORM_DOUBLE)
		return;
	if (p->real != NORM_FLOAT && p->view.inner < SHORT_RUN) /* where 0 saves these nothing */
		return;
	for (size_t f = 0; f < features; f++)
		spread[f] = 0;
	for (size_t k = 1; k < PROBES; k++) {
		values_at(p, k * n / PROBES, other);
		for (size_t f = 0; f < features; f++) {
			const double d = fabs(other[f] - first[f]);

			spread[f] = d > spread[f] ? d : spread[f];
		}
	}
	for (size_t f = 0; f < features; f++)
		first[f] = fabs(first[f]) <= NEAR * spread[f] ? 0 : first[f];
}

/* Blocks `first` to before `end` of band `i`. */
static bool
observe_band(const struct norm_pass *p, size_t i, size_t first, size_t end)
{
	const struct norm_part outer = cut_part(p->view.outer, 1, bands_of(p->view), i);
	const size_t step = cut_step(p->view);
	struct norm_pass band = *p;

	band.view.outer = outer.end - outer.first;
	band.y = norm_pass_y(p, outer.first * p->view.feature * p->view.inner);
	band.scratch = p->scratch + 2 * i * p->view.feature;
	return kernels_for(p)->observe(
	    &band, (struct norm_part){ first * step, columns_min(end * step, p->view.feature) });
}

static bool
observe_part(const struct norm_pass *p, struct norm_part part)
{
	const size_t blocks = blocks_of(p->view);
	bool finite = true;
	size_t end;

	for (; part.first < part.end; part.first = end) {
		end = columns_min(part.end, part.first - part.first % blocks + blocks);
		finite &= observe_band(p, part.first / blocks, part.first % blocks, (end - 1) % blocks + 1);
	}
	return finite;
}

/* Adds up the sums of all bands in those of the first. */
static void
join_bands(const struct norm_pass *p)
{
	const size_t bands = bands_of(p->view), n = 2 * p->view.feature;

	for (size_t f = 0; f < n && bands > 1; f++) {
		struct sum s = { 0, 0 };

		for (size_t i = 0; i < bands; i++)
			sum_add(&s, p->scratch[i * n + f]);
		p->scratch[f] = sum_total(s);
	}
}

/* Equation 25. */
static void
observe_end(const struct norm_pass *p)
{
	const double share = 1 / (double)p->count, *sum = p->scratch, *square = sum + p->view.feature;

	join_bands(p);
	for (size_t f = 0; f < p->view.feature; f++) {
		const double offset = sum[f] * share, var = (square[f] - sum[f] * offset) * share;

		p->mean[f] += offset;
		p->var[f] = var < 0 ? 0 : var;
	}
}

const struct norm_op norm_observe = {
	.part = observe_part,
	.cut = cut_blocks,
	.begin = observe_begin,
	.end = observe_end,
	.scratch = observe_scratch,
};
