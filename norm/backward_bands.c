/* SPDX-License-Identifier: MIT */
/*
 * The backward passes by groups and by rows. The gradients by weight and bias are sums over all samples or rows. They
 * are made in bands, which may run at the same time; the view alone decides how many, and so the bits.
 */
#include <string.h>

#include "norm/kernels/backward_terms.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/sum.h"
#include "norm/normalize.h"

#define BANDS_MAX ((size_t)8)
/* Rows whose gradients by the parameters are added up plainly before a fold; a multiple of ROWS_TOGETHER. */
#define ROWS_PLAIN ((size_t)64)

/* Doubles of scratch memory for each band, in arrays of a double a parameter. */
#define SUMS_ARRAYS ((size_t)4)                 /* struct band_sums */
#define GROUPS_ARRAYS (SUMS_ARRAYS + (size_t)7) /* and one sample's: see sample_init() */
#define ROWS_ARRAYS (SUMS_ARRAYS + (size_t)2)   /* and what recent rows add */

/* A small tensor has one band: its sums would take longer to join than to make. */
static size_t
bands_of(struct norm_view view, size_t most)
{
	return norm_view_elements(view) < CUT_FROM ? 1 : columns_min(BANDS_MAX, most);
}

static size_t
groups_bands(struct norm_view view)
{
	return bands_of(view, view.outer);
}

/* Each band has several times as many rows as have their sums folded together. */
static size_t
rows_bands(struct norm_view view)
{
	return bands_of(view, 1 + view.feature / (2 * ROWS_PLAIN));
}

/* The sums of a band by weight and by bias, in two parts as in struct sum, at the start of its scratch memory. */
struct band_sums {
	const struct kernels_of_real *kernels;
	double *weight, *weight_low, *bias, *bias_low;
};

/* Returns the next free place. */
static double *
band_sums_init(struct band_sums *b, const struct norm_pass *p, double *scratch, size_t n)
{
	*b = (struct band_sums){ kernels_for(p), scratch, scratch + n, scratch + 2 * n, scratch + 3 * n };
	memset(scratch, 0, SUMS_ARRAYS * n * sizeof(*scratch));
	return scratch + SUMS_ARRAYS * n;
}

/* Adds `n` numbers by weight and by bias, and sets them to 0. */
static void
band_sums_fold(const struct band_sums *b, double *weight, double *bias, size_t n)
{
	b->kernels->fold(weight, b->weight, b->weight_low, n);
	b->kernels->fold(bias, b->bias, b->bias_low, n);
}

/* The totals over `bands` bands, whose sums lie `each` doubles apart. */
static void
join(const double *high, size_t bands, size_t each, size_t n, double *total)
{
	const double *low = high + n;
	struct sum s;
	size_t b, i;

	for (i = 0; i < n; i++) {
		s = (struct sum){ 0, 0 };
		for (b = 0; b < bands; b++) {
			sum_add(&s, high[b * each + i]);
			s.low += low[b * each + i];
		}
		total[i] = sum_total(s);
	}
}

/* The gradients by weight and bias, `n` each, from the scratch memory of all bands of `arrays` arrays. */
static void
join_gradients(const struct norm_pass *p, size_t bands, size_t arrays, size_t n)
{
	join(p->scratch, bands, arrays * n, n, p->grad_weight);
	join(p->scratch + 2 * n, bands, arrays * n, n, p->grad_bias);
}

/* ---- by groups */

/* Two passes over one sample: `measure` has groups as features, `pass` channels, by the numbers of their groups. */
struct sample {
	struct norm_pass measure, pass;
	double *mean, *rstd;
};

/* Places the arrays of a sample in the scratch memory. */
static void
sample_init(struct sample *s, const struct norm_pass *p, double *scratch)
{
	const size_t channels = p->view.feature;

	s->measure = s->pass = *p;
	s->mean = scratch;
	s->rstd = scratch + channels;
	s->measure.view = (struct norm_view){ 1, p->groups, channels / p->groups * p->view.inner };
	s->measure.mean = s->mean;
	s->measure.var = s->rstd;
	s->measure.mean_low = NULL;
	s->pass.view.outer = 1;
	s->pass.by.mean = s->mean;
	s->pass.by.rstd = s->rstd;
	s->pass.grad_bias = scratch + 2 * channels;
	s->pass.grad_weight = scratch + 3 * channels;
	s->pass.scratch = scratch + 4 * channels;
}

/* From each channel's sums to its terms, by way of its group's. */
static void
group_terms(const struct norm_pass *sample)
{
	const size_t in_group = sample->view.feature / sample->groups;
	const double *weight = sample->by.weight;
	const struct feature_terms terms = feature_terms_in(sample);

	for (size_t first = 0; first < sample->view.feature; first += in_group) {
		struct sum sum = { 0, 0 }, product = { 0, 0 };
		struct backward_terms t;

		for (size_t c = first; c < first + in_group; c++) {
			sum_add(&sum, sample->grad_bias[c] * (weight != NULL ? weight[c] : 1));
			sum_add(&product, sample->grad_weight[c] * (weight != NULL ? weight[c] : 1));
		}
		t = backward_terms_of(1, sample->by.rstd[first], (double)(in_group * sample->view.inner),
		    sum_total(sum), sum_total(product));
		for (size_t c = first; c < first + in_group; c++) {
			terms.by_g[c] = t.by_g * (weight != NULL ? weight[c] : 1);
			terms.by_x[c] = t.by_x;
			terms.constant[c] = t.constant;
		}
	}
}

/* One sample: dx in place; grad_weight and grad_bias become its share of those of all samples. */
static bool
sample_backward(const struct sample *s)
{
	const size_t channels = s->pass.view.feature, groups = s->pass.groups;
	const struct kernels_of_real *kernels = kernels_for(&s->pass);
	bool finite;

	(void)kernels->moments(&s->measure, (struct norm_part){ 0, groups });
	normalize_rstd(s->rstd, s->pass.eps, groups, s->rstd);
	normalize_spread(s->mean, channels / groups, channels);
	normalize_spread(s->rstd, channels / groups, channels);
	(void)kernels->sums(&s->pass, (struct norm_part){ 0, channels });
	group_terms(&s->pass);
	finite = kernels->terms_backward(&s->pass, (struct norm_part){ 0, 1 });
	for (size_t c = 0; c < channels; c++)
		s->pass.grad_weight[c] *= s->rstd[c];
	return finite;
}

static bool
groups_band(const struct norm_pass *p, struct norm_part samples, double *scratch)
{
	const size_t channels = p->view.feature, size = channels * p->view.inner;
	struct band_sums sums;
	struct sample s;
	bool finite = true;

	sample_init(&s, p, band_sums_init(&sums, p, scratch, channels));
	for (size_t n = samples.first; n < samples.end; n++) {
		s.measure.x = s.pass.x = norm_pass_x(p, n * size);
		s.pass.y = norm_pass_y(p, n * size);
		finite &= sample_backward(&s);
		band_sums_fold(&sums, s.pass.grad_weight, s.pass.grad_bias, channels);
	}
	return finite;
}

static bool
groups_part(const struct norm_pass *p, struct norm_part bands)
{
	const size_t count = groups_bands(p->view), each = GROUPS_ARRAYS * p->view.feature;
	bool finite = true;

	for (; bands.first < bands.end; bands.first++)
		finite &=
		    groups_band(p, cut_part(p->view.outer, 1, count, bands.first), p->scratch + bands.first * each);
	return finite;
}

static struct norm_cut
cut_groups(const struct norm_pass *p)
{
	return (struct norm_cut){ groups_bands(p->view), 1 };
}

static void
groups_end(const struct norm_pass *p)
{
	join_gradients(p, groups_bands(p->view), GROUPS_ARRAYS, p->view.feature);
}

static size_t
groups_scratch(struct norm_view view)
{
	return groups_bands(view) * GROUPS_ARRAYS * view.feature;
}

const struct norm_op norm_groups_backward = {
	.part = groups_part,
	.cut = cut_groups,
	.end = groups_end,
	.scratch = groups_scratch,
};

/* ---- by rows */

/* The kernel adds the gradients of a few rows plainly to `recent`, which are then folded into the band's. */
static bool
rows_band(const struct norm_pass *p, struct norm_part rows, double *scratch)
{
	const size_t size = p->view.inner;
	struct norm_pass recent = *p;
	struct band_sums sums;
	bool finite = true;
	size_t r, n;

	recent.grad_weight = band_sums_init(&sums, p, scratch, size);
	recent.grad_bias = recent.grad_weight + size;
	memset(recent.grad_weight, 0, 2 * size * sizeof(*scratch));
	for (r = rows.first; r < rows.end; r += n) {
		n = columns_min(ROWS_TOGETHER, rows.end - r);
		finite &= sums.kernels->rows_backward(&recent, (struct norm_part){ r, r + n });
		if ((r + n - rows.first) % ROWS_PLAIN == 0)
			band_sums_fold(&sums, recent.grad_weight, recent.grad_bias, size);
	}
	band_sums_fold(&sums, recent.grad_weight, recent.grad_bias, size);
	return finite;
}

static bool
rows_part(const struct norm_pass *p, struct norm_part bands)
{
	const size_t count = rows_bands(p->view), each = ROWS_ARRAYS * p->view.inner;
	bool finite = true;

	for (; bands.first < bands.end; bands.first++)
		finite &=
		    rows_band(p, cut_part(p->view.feature, 1, count, bands.first), p->scratch + bands.first * each);
	return finite;
}

static struct norm_cut
cut_rows_bands(const struct norm_pass *p)
{
	return (struct norm_cut){ rows_bands(p->view), 1 };
}

static void
rows_end(const struct norm_pass *p)
{
	join_gradients(p, rows_bands(p->view), ROWS_ARRAYS, p->view.inner);
}

static size_t
rows_scratch(struct norm_view view)
{
	return rows_bands(view) * ROWS_ARRAYS * view.inner;
}

const struct norm_op norm_rows_backward = {
	.part = rows_part,
	.cut = cut_rows_bands,
	.end = rows_end,
	.scratch = rows_scratch,
};
