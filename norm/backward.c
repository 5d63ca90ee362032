#include "norm/backward.h"

#include <string.h>

#include "norm/backward_terms.h"
#include "norm/columns.h"
#include "norm/kernels.h"
#include "norm/mask.h"
#include "norm/normalize.h"
#include "norm/sum.h"

/* Rows whose parameters' gradients are added up plainly, before they are added to the rest by TwoSum; a multiple of ROWS_TOGETHER. */
#define ROWS_PLAIN ((size_t)64)

void
backward_sums(enum norm_real real, const void *x, const void *g, struct norm_view view, const double *mean, const double *rstd,
    double *sum, double *product)
{
	backward_sums_part(real, x, g, view, (struct norm_part){ 0, view.feature }, mean, rstd, sum, product);
}

void
backward_sums_part(enum norm_real real, const void *x, const void *g, struct norm_view view, struct norm_part features,
    const double *mean, const double *rstd, double *sum, double *product)
{
	kernels_best()->of[real].gradients_part(x, g, view, features.first, features.end, mean, rstd, sum, product);
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
backward_by_coefficients(
    enum norm_real real, const void *x, void *g, struct norm_view view, const double *mean, const double *rstd, double *scratch)
{
	const struct coefficients c = coefficients_in(scratch, view.feature);

	return kernels_best()->of[real].backward(x, g, view, mean, rstd, &c);
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
	return backward_by_feature_part(
	    real, x, g, view, (struct norm_part){ 0, view.feature }, n, mean, rstd, weight, grad_weight, grad_bias, scratch);
}

bool
backward_by_feature_part(enum norm_real real, const void *x, void *g, struct norm_view view, struct norm_part features,
    size_t n, const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias,
    double *scratch)
{
	const struct coefficients c = coefficients_in(scratch, view.feature);
	bool finite = kernels_best()->of[real].backward_part(
	    x, g, view, features.first, features.end, n, mean, rstd, weight, grad_bias, grad_weight, &c);

	for (size_t f = features.first; f < features.end; f++)
		grad_weight[f] *= rstd[f];
	return finite;
}

/* Adds to sums whose two parts stand in two arrays. */
static void
add_each(double *high, double *low, const double *x, size_t n)
{
	struct sum s;
	size_t i;

	for (i = 0; i < n; i++) {
		s = (struct sum){ high[i], low[i] };
		sum_add(&s, x[i]);
		high[i] = s.high;
		low[i] = s.low;
	}
}

static void
add_up(double *high, const double *low, size_t n)
{
	for (size_t i = 0; i < n; i++)
		high[i] += low[i];
}

/* One sample of backward_groups: arrays of a number for each channel, named as there. */
struct sample {
	double *mean, *rstd;   /* the group's, for each channel */
	double *sum, *product; /* of g and g (x - mean) */
	struct coefficients by;
};

/* From each channel's sums to its coefficients, by way of its group's; `count`: of how many values each group's moments are, NULL: of all. */
static void
group_terms(const struct sample *s, struct norm_view sample, size_t groups, const size_t *count, const double *weight)
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
		t = backward_terms_of(1, s->rstd[first], (double)(count != NULL ? count[group] : in_group * sample.inner),
		    sum_total(sum), sum_total(product));
		for (size_t c = first; c < first + in_group; c++) {
			s->by.by_g[c] = t.by_g * (weight != NULL ? weight[c] : 1);
			s->by.by_x[c] = t.by_x;
			s->by.constant[c] = t.constant;
		}
	}
}

/* Where the arrays of `s` begin in the scratch memory; returns the next free place. */
static double *
sample_init(struct sample *s, double *scratch, size_t channels)
{
	double **const arrays[] = { &s->mean, &s->rstd, &s->sum, &s->product, &s->by.by_g, &s->by.by_x, &s->by.constant };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++, scratch += channels)
		*arrays[i] = scratch;
	return scratch;
}

/* One sample: its own gradient in place; s->sum and s->product become what it adds to those by bias and weight. */
static bool
sample_backward(const struct kernels_of_real *kernels, const void *x, void *g, struct norm_view sample, size_t groups,
    const size_t *count, const double *weight, const struct sample *s)
{
	const size_t channels = sample.feature;
	bool finite;

	normalize_spread(s->mean, groups, channels);
	normalize_spread(s->rstd, groups, channels);
	kernels->gradients_part(x, g, sample, 0, channels, s->mean, s->rstd, s->sum, s->product);
	group_terms(s, sample, groups, count, weight);
	finite = kernels->backward(x, g, sample, s->mean, s->rstd, &s->by);
	for (size_t c = 0; c < channels; c++)
		s->product[c] *= s->rstd[c];
	return finite;
}

/* The same with padding: its moments are given, and what is padding takes its share of the gradient by the output alone. */
static bool
padded_sample(const struct kernels_of_real *kernels, enum norm_real real, const void *x, void *g, struct norm_view sample,
    size_t groups, size_t n, const double *weight, const struct backward_padding *padding, const struct sample *s)
{
	memcpy(s->mean, padding->mean + n * groups, groups * sizeof(*s->mean));
	memcpy(s->rstd, padding->rstd + n * groups, groups * sizeof(*s->rstd));
	memcpy(padding->scratch, g, sample.feature * sample.inner * norm_real_size(real));
	(void)sample_backward(kernels, x, g, sample, groups, padding->count + n * groups, weight, s);
	return mask_scale_features(real, g, padding->scratch, sample, padding->mask + n * padding->positions, s->by.by_g);
}

bool
backward_groups(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups, double eps,
    const double *weight, const struct backward_padding *padding, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
	const struct norm_view grouped = { 1, groups, view.feature / groups * view.inner };
	const struct norm_view sample = { 1, view.feature, view.inner };
	const size_t channels = view.feature, bytes = channels * view.inner * norm_real_size(real);
	const unsigned char *at = x;
	unsigned char *g_at = g;
	struct sample s;
	double *low_weight = sample_init(&s, scratch, channels), *low_bias = low_weight + channels;
	bool finite = true;
	size_t n, c;

	for (c = 0; c < channels; c++)
		grad_weight[c] = grad_bias[c] = low_weight[c] = low_bias[c] = 0;
	for (n = 0; n < view.outer; n++, at += bytes, g_at += bytes) {
		if (padding != NULL) {
			finite &= padded_sample(kernels, real, at, g_at, sample, groups, n, weight, padding, &s);
		} else {
			kernels->moments(at, grouped, s.mean, s.rstd);
			normalize_rstd(s.rstd, eps, groups, s.rstd);
			finite &= sample_backward(kernels, at, g_at, sample, groups, NULL, weight, &s);
		}
		add_each(grad_weight, low_weight, s.product, channels);
		add_each(grad_bias, low_bias, s.sum, channels);
	}
	add_up(grad_weight, low_weight, channels);
	add_up(grad_bias, low_bias, channels);
	return finite;
}

/* A sum of `size` numbers at a time: what was added since the last fold, and the total in two parts. */
struct position_sums {
	double *recent, *high, *low;
};

/* What rows add to the gradients by weight and bias. */
struct row_sums {
	struct position_sums weight, bias;
};

static void
fold_one(const struct position_sums *s, size_t size)
{
	add_each(s->high, s->low, s->recent, size);
	memset(s->recent, 0, size * sizeof(*s->recent));
}

static void
fold(const struct row_sums *s, size_t size)
{
	fold_one(&s->weight, size);
	fold_one(&s->bias, size);
}

/* What all rows share. */
struct rows {
	const struct kernels_of_real *kernels;
	enum norm_real real;
	size_t size;
	bool centered;
	double eps;
	const double *weight;
	const struct backward_padding *padding;
	struct row_sums sums;
};

/* `n` rows, at most ROWS_TOGETHER, by their own moments, which are measured. */
static bool
rows_backward(const struct rows *all, const void *x, void *g, size_t n)
{
	const struct norm_view v = { 1, n, all->size };
	double mean[ROWS_TOGETHER] = { 0 }, rstd[ROWS_TOGETHER];

	if (all->centered)
		all->kernels->moments(x, v, mean, rstd);
	else
		all->kernels->squares(x, v, rstd);
	normalize_rstd(rstd, all->eps, n, rstd);
	return all->kernels->rows_backward(
	    x, g, n, all->size, NULL, all->centered, mean, rstd, all->weight, all->sums.weight.recent, all->sums.bias.recent);
}

/* Row `r` with padding, as padded_sample. */
static bool
padded_row(const struct rows *all, const void *x, void *g, size_t r)
{
	const struct backward_padding *padding = all->padding;

	memcpy(padding->scratch, g, all->size * norm_real_size(all->real));
	(void)all->kernels->rows_backward(x, g, 1, all->size, padding->count + r, all->centered, padding->mean + r,
	    padding->rstd + r, all->weight, all->sums.weight.recent, all->sums.bias.recent);
	return mask_scale_run(all->real, g, padding->scratch, r * all->size, all->size, padding->channels, padding->positions,
	    padding->mask, padding->rstd[r], all->weight);
}

bool
backward_rows(enum norm_real real, const void *x, void *g, size_t rows, size_t size, bool centered, double eps,
    const double *weight, const struct backward_padding *padding, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct rows all = { &kernels_best()->of[real], real, size, centered, eps, weight, padding,
		{ { scratch, grad_weight, scratch + size }, { scratch + 2 * size, grad_bias, scratch + 3 * size } } };
	const size_t bytes = size * norm_real_size(real), together = padding != NULL ? 1 : ROWS_TOGETHER;
	const unsigned char *at = x;
	unsigned char *g_at = g;
	bool finite = true;
	size_t r, n;

	memset(scratch, 0, 4 * size * sizeof(*scratch));
	memset(grad_weight, 0, size * sizeof(*grad_weight));
	memset(grad_bias, 0, size * sizeof(*grad_bias));
	for (r = 0; r < rows; r += n, at += n * bytes, g_at += n * bytes) {
		n = columns_min(together, rows - r);
		finite &= padding != NULL ? padded_row(&all, at, g_at, r) : rows_backward(&all, at, g_at, n);
		if ((r + n) % ROWS_PLAIN == 0)
			fold(&all.sums, size);
	}
	fold(&all.sums, size);
	add_up(grad_weight, all.sums.weight.low, size);
	add_up(grad_bias, all.sums.bias.low, size);
	return finite;
}

void
backward_clip(enum norm_real real, void *g, const void *y, size_t count, double limit)
{
	kernels_best()->of[real].clip_backward(g, y, count, limit);
}
