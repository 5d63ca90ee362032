/* SPDX-License-Identifier: MIT */
/*
 * The backward pass of what has moments of its own: samples in groups, rows. Each sample or row is done by itself, but
 * what it adds to the gradients by weight and bias is added up over all: in bands, whose number the view alone decides,
 * so that bands may be done at the same time and the sums are the same.
 */
#include <string.h>

#include "norm/backward.h"
#include "norm/kernels/backward_terms.h"
#include "norm/kernels/columns.h"
#include "norm/kernels/kernels.h"
#include "norm/normalize.h"
#include "norm/kernels/sum.h"

#define BANDS_MAX ((size_t)8)
/*
 * Rows whose parameters' gradients are added up plainly, before they are added to the rest by TwoSum; a multiple of
 * ROWS_TOGETHER.
 */
#define ROWS_PLAIN ((size_t)64)

/* Of a tensor that nobody cuts there is one band: its sums would take longer to join than they take. */
static size_t
bands_of(size_t elements, size_t most)
{
	return elements < CUT_FROM ? 1 : columns_min(BANDS_MAX, most);
}

size_t
backward_groups_bands(struct norm_view view)
{
	return bands_of(view.outer * view.feature * view.inner, view.outer);
}

/* Each has room for the sums of a band beside several times as many rows. */
size_t
backward_rows_bands(size_t rows, size_t size)
{
	return bands_of(rows * size, 1 + rows / (2 * ROWS_PLAIN));
}

/*
 * The sums of a band, `n` numbers by weight and by bias, each in two parts as in struct sum. They stand at its scratch
 * memory's start.
 */
struct band {
	double *weight, *weight_low, *bias, *bias_low;
};

/* Returns the next free place. */
static double *
band_init(struct band *b, double *scratch, size_t n)
{
	*b = (struct band){ scratch, scratch + n, scratch + 2 * n, scratch + 3 * n };
	memset(scratch, 0, 4 * n * sizeof(*scratch));
	return scratch + 4 * n;
}

/* The totals of one of the two over all bands, `each` doubles apart. */
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

/* One sample of backward_groups: arrays of a number for each channel, named as there. */
struct sample {
	double *mean, *rstd;   /* the group's, for each channel */
	double *sum, *product; /* of g and g (x - mean) */
	struct coefficients by;
};

/* From each channel's sums to its coefficients, by way of its group's. */
static void
group_terms(const struct sample *s, struct norm_view sample, size_t groups, const double *weight)
{
	const size_t channels = sample.feature, in_group = channels / groups;

	for (size_t group = 0; group < groups; group++) {
		const size_t first = group * in_group;
		struct sum sum = { 0, 0 }, product = { 0, 0 };
		struct backward_terms t;

		for (size_t c = first; c < first + in_group; c++) {
			sum_add(&sum, s->sum[c] * (weight != NULL ? weight[c] : 1));
			sum_add(&product, s->product[c] * (weight != NULL ? weight[c] : 1));
		}
		t = backward_terms_of(
		    1, s->rstd[first], (double)(in_group * sample.inner), sum_total(sum), sum_total(product));
		for (size_t c = first; c < first + in_group; c++) {
			s->by.by_g[c] = t.by_g * (weight != NULL ? weight[c] : 1);
			s->by.by_x[c] = t.by_x;
			s->by.constant[c] = t.constant;
		}
	}
}

/* Where the arrays of `s` begin in the scratch memory. */
static void
sample_init(struct sample *s, double *scratch, size_t channels)
{
	double **const arrays[] = { &s->mean, &s->rstd, &s->sum, &s->product, &s->by.by_g, &s->by.by_x,
		&s->by.constant };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++, scratch += channels)
		*arrays[i] = scratch;
}

/* One sample: its own gradient in place; s->sum and s->product become what it adds to those by bias and weight. */
static bool
sample_backward(const struct kernels_of_real *kernels, const void *x, void *g, struct norm_view sample, size_t groups,
    const double *weight, const struct sample *s)
{
	const size_t channels = sample.feature;
	bool finite;

	normalize_spread(s->mean, groups, channels);
	normalize_spread(s->rstd, groups, channels);
	kernels->gradients_part(x, g, sample, 0, channels, s->mean, s->rstd, s->sum, s->product);
	group_terms(s, sample, groups, weight);
	finite = kernels->backward(x, g, sample, s->mean, s->rstd, &s->by);
	for (size_t c = 0; c < channels; c++)
		s->product[c] *= s->rstd[c];
	return finite;
}

void
backward_groups_join(struct norm_view view, const double *scratch, double *grad_weight, double *grad_bias)
{
	const size_t bands = backward_groups_bands(view), each = BACKWARD_GROUPS_SCRATCH * view.feature;

	join(scratch, bands, each, view.feature, grad_weight);
	join(scratch + 2 * view.feature, bands, each, view.feature, grad_bias);
}

/* What all samples share. */
struct groups {
	const struct kernels_of_real *kernels;
	enum norm_real real;
	struct norm_view grouped, sample;
	size_t groups;
	double eps;
	const double *weight;
};

/* The samples from `n` to before `end`. */
static bool
groups_band(const struct groups *all, const void *x, void *g, size_t n, size_t end, double *scratch)
{
	const size_t channels = all->sample.feature, bytes = channels * all->sample.inner * norm_real_size(all->real);
	const unsigned char *at = (const unsigned char *)x + n * bytes;
	unsigned char *g_at = (unsigned char *)g + n * bytes;
	struct sample s;
	struct band sums;
	bool finite = true;

	sample_init(&s, band_init(&sums, scratch, channels), channels);
	for (; n < end; n++, at += bytes, g_at += bytes) {
		all->kernels->moments(at, all->grouped, s.mean, s.rstd);
		normalize_rstd(s.rstd, all->eps, all->groups, s.rstd);
		finite &= sample_backward(all->kernels, at, g_at, all->sample, all->groups, all->weight, &s);
		kernels_best()->fold(s.product, sums.weight, sums.weight_low, channels);
		kernels_best()->fold(s.sum, sums.bias, sums.bias_low, channels);
	}
	return finite;
}

bool
backward_groups_part(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups,
    struct norm_part bands, double eps, const double *weight, double *scratch)
{
	const struct groups all = { kernels_best()->of[real], real, { 1, groups, view.feature / groups * view.inner },
		{ 1, view.feature, view.inner }, groups, eps, weight };
	const size_t count = backward_groups_bands(view), each = BACKWARD_GROUPS_SCRATCH * view.feature;
	bool finite = true;

	for (; bands.first < bands.end; bands.first++) {
		const struct norm_part samples = cut_part(view.outer, 1, count, bands.first);

		finite &= groups_band(&all, x, g, samples.first, samples.end, scratch + bands.first * each);
	}
	return finite;
}

bool
backward_groups(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct norm_part all = { 0, backward_groups_bands(view) };
	const bool finite = backward_groups_part(real, x, g, view, groups, all, eps, weight, scratch);

	backward_groups_join(view, scratch, grad_weight, grad_bias);
	return finite;
}

/* What all rows share. */
struct rows {
	const struct kernels_of_real *kernels;
	enum norm_real real;
	size_t size;
	bool centered;
	double eps;
	const double *weight;
};

/* What rows of a band add to the gradients by weight and bias since the last fold. */
struct recent {
	double *weight, *bias;
};

/* Adds it to the band's sums; then there is none. */
static void
fold(const struct recent *recent, const struct band *sums, size_t size)
{
	kernels_best()->fold(recent->weight, sums->weight, sums->weight_low, size);
	kernels_best()->fold(recent->bias, sums->bias, sums->bias_low, size);
}

/* The rows from `r` to before `end`. */
static bool
rows_band(const struct rows *all, const void *x, void *g, size_t r, size_t end, double *scratch)
{
	const size_t bytes = all->size * norm_real_size(all->real);
	const unsigned char *at = (const unsigned char *)x + r * bytes;
	unsigned char *g_at = (unsigned char *)g + r * bytes;
	struct band sums;
	struct recent recent;
	bool finite = true;
	size_t n, done;

	recent.weight = band_init(&sums, scratch, all->size);
	recent.bias = recent.weight + all->size;
	memset(recent.weight, 0, 2 * all->size * sizeof(*scratch));
	for (done = 0; r < end; r += n, done += n, at += n * bytes, g_at += n * bytes) {
		n = columns_min(ROWS_TOGETHER, end - r);
		finite &= all->kernels->rows_backward(
		    at, g_at, n, all->size, all->centered, all->eps, all->weight, recent.weight, recent.bias);
		if ((done + n) % ROWS_PLAIN == 0)
			fold(&recent, &sums, all->size);
	}
	fold(&recent, &sums, all->size);
	return finite;
}

void
backward_rows_join(size_t rows, size_t size, const double *scratch, double *grad_weight, double *grad_bias)
{
	const size_t bands = backward_rows_bands(rows, size), each = BACKWARD_ROWS_SCRATCH * size;

	join(scratch, bands, each, size, grad_weight);
	join(scratch + 2 * size, bands, each, size, grad_bias);
}

bool
backward_rows_part(enum norm_real real, const void *x, void *g, size_t rows, size_t size, struct norm_part bands,
    bool centered, double eps, const double *weight, double *scratch)
{
	const struct rows all = { kernels_best()->of[real], real, size, centered, eps, weight };
	const size_t count = backward_rows_bands(rows, size), each = BACKWARD_ROWS_SCRATCH * size;
	bool finite = true;

	for (; bands.first < bands.end; bands.first++) {
		const struct norm_part some = cut_part(rows, 1, count, bands.first);

		finite &= rows_band(&all, x, g, some.first, some.end, scratch + bands.first * each);
	}
	return finite;
}

bool
backward_rows(enum norm_real real, const void *x, void *g, size_t rows, size_t size, bool centered, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct norm_part all = { 0, backward_rows_bands(rows, size) };
	const bool finite = backward_rows_part(real, x, g, rows, size, all, centered, eps, weight, scratch);

	backward_rows_join(rows, size, scratch, grad_weight, grad_bias);
	return finite;
}
