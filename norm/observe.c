/* SPDX-License-Identifier: MIT */
/*
 * The forward pass that also measures what it normalizes (norm/pass.h). The tensor is read once, so the sums are about
 * a shift that is known before: 0, or the first value of each feature (docs/MATH.md, rule 7). They are made in bands of
 * outer and joined, as in norm/feature_bands.c; but bands, and blocks of features within them, are shared out.
 */
#include "norm/kernels/column_sums.h"
#include "norm/kernels/columns.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"

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

/* Sums of one band stay where they are made. */
static size_t
observe_scratch(struct norm_view view)
{
	const size_t bands = bands_of(view);

	return bands > 1 ? 2 * bands * view.feature : 0;
}

/* All bands need the shifts. With one, each block's are chosen with its sums. */
static void
observe_begin(const struct norm_pass *p)
{
	if (bands_of(p->view) > 1)
		(void)kernels_for(p)->shifts(p, (struct norm_part){ 0, p->view.feature });
}

/* Blocks `first` to before `end` of band `i`. */
static bool
observe_band(const struct norm_pass *p, size_t i, size_t first, size_t end)
{
	const size_t step = cut_step(p->view), bands = bands_of(p->view);
	const struct norm_part outer = cut_part(p->view.outer, 1, bands, i);
	struct norm_pass band = *p;

	band.view.outer = outer.end - outer.first;
	band.y = norm_pass_y(p, outer.first * p->view.feature * p->view.inner);
	band.scratch = bands > 1 ? p->scratch + 2 * i * p->view.feature : NULL;
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
join_bands(const struct norm_pass *p, size_t bands)
{
	const size_t n = 2 * p->view.feature;

	for (size_t f = 0; f < n; f++) {
		struct sum s = { 0, 0 };

		for (size_t i = 0; i < bands; i++)
			sum_add(&s, p->scratch[i * n + f]);
		p->scratch[f] = sum_total(s);
	}
}

static void
observe_end(const struct norm_pass *p)
{
	const size_t bands = bands_of(p->view), features = p->view.feature;

	if (bands == 1)
		return;
	join_bands(p, bands);
	sums_moments(p->count, p->scratch, p->scratch + features, features, p->mean, p->var);
}

const struct norm_op norm_observe = {
	.part = observe_part,
	.cut = cut_blocks,
	.begin = observe_begin,
	.end = observe_end,
	.scratch = observe_scratch,
};
