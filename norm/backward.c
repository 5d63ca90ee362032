#include "norm/backward.h"

#include <string.h>

#include "norm/backward_terms.h"
#include "norm/kernels.h"
#include "norm/normalize.h"
#include "norm/sum.h"

/* Rows whose parameters' gradients are added up plainly, before they are added to the rest by TwoSum. */
#define ROWS_PLAIN ((size_t)64)

bool
backward_by_feature(enum norm_real real, const void *x, void *g, struct norm_view view, bool own, const double *mean,
    const double *rstd, const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
	double *by_g = scratch, *by_x = by_g + view.feature, *constant = by_x + view.feature;
	const double n = (double)norm_view_count(view);
	size_t f;

	kernels->gradients(x, g, view, mean, grad_bias, grad_weight);
	for (f = 0; f < view.feature; f++) {
		const struct backward_terms t = backward_terms_of(
		    weight != NULL ? weight[f] : 1, rstd[f], n, own ? grad_bias[f] : 0, own ? grad_weight[f] : 0);

		by_g[f] = t.by_g;
		by_x[f] = t.by_x;
		constant[f] = t.constant;
		grad_weight[f] *= rstd[f];
	}
	return kernels->backward(x, g, view, mean, by_g, by_x, constant);
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
	double *by_g, *by_x, *constant;
};

/* From each channel's sums to each channel's coefficients, by way of its group's. */
static void
group_terms(const struct sample *s, size_t channels, size_t groups, size_t positions, const double *weight)
{
	const size_t in_group = channels / groups;

	for (size_t first = 0; first < channels; first += in_group) {
		struct sum sum = { 0, 0 }, product = { 0, 0 };
		struct backward_terms t;

		for (size_t c = first; c < first + in_group; c++) {
			sum_add(&sum, s->sum[c] * (weight != NULL ? weight[c] : 1));
			sum_add(&product, s->product[c] * (weight != NULL ? weight[c] : 1));
		}
		t = backward_terms_of(1, s->rstd[first], (double)(in_group * positions), sum_total(sum), sum_total(product));
		for (size_t c = first; c < first + in_group; c++) {
			s->by_g[c] = t.by_g * (weight != NULL ? weight[c] : 1);
			s->by_x[c] = t.by_x;
			s->constant[c] = t.constant;
		}
	}
}

bool
backward_groups(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
	const struct norm_view grouped = { 1, groups, view.feature / groups * view.inner };
	const struct norm_view sample = { 1, view.feature, view.inner };
	const size_t channels = view.feature, bytes = channels * view.inner * norm_real_size(real);
	double *low_weight = scratch, *low_bias = low_weight + channels;
	struct sample s;
	const unsigned char *at = x;
	unsigned char *g_at = g;
	bool finite = true;
	size_t n, c;

	s.mean = low_bias + channels;
	s.rstd = s.mean + channels;
	s.sum = s.rstd + channels;
	s.product = s.sum + channels;
	s.by_g = s.product + channels;
	s.by_x = s.by_g + channels;
	s.constant = s.by_x + channels;
	for (c = 0; c < channels; c++)
		grad_weight[c] = grad_bias[c] = low_weight[c] = low_bias[c] = 0;
	for (n = 0; n < view.outer; n++, at += bytes, g_at += bytes) {
		kernels->moments(at, grouped, s.mean, s.rstd);
		normalize_rstd(s.rstd, eps, groups, s.rstd);
		normalize_spread(s.mean, groups, channels);
		normalize_spread(s.rstd, groups, channels);
		kernels->gradients(at, g_at, sample, s.mean, s.sum, s.product);
		group_terms(&s, channels, groups, view.inner, weight);
		finite &= kernels->backward(at, g_at, sample, s.mean, s.by_g, s.by_x, s.constant);
		for (c = 0; c < channels; c++)
			s.product[c] *= s.rstd[c];
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

static void
fold(const struct position_sums *s, size_t size)
{
	add_each(s->high, s->low, s->recent, size);
	memset(s->recent, 0, size * sizeof(*s->recent));
}

bool
backward_rows(enum norm_real real, const void *x, void *g, size_t rows, size_t size, bool centered, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	const struct kernels_of_real *kernels = &kernels_best()->of[real];
	const struct norm_view row = { 1, 1, size };
	const struct position_sums weights = { scratch, grad_weight, scratch + size };
	const struct position_sums biases = { scratch + 2 * size, grad_bias, scratch + 3 * size };
	const size_t bytes = size * norm_real_size(real);
	const unsigned char *at = x;
	unsigned char *g_at = g;
	struct identity id;
	bool finite = true;
	size_t r;

	identity_init(&id);
	memset(scratch, 0, 4 * size * sizeof(*scratch));
	memset(grad_weight, 0, size * sizeof(*grad_weight));
	memset(grad_bias, 0, size * sizeof(*grad_bias));
	for (r = 0; r < rows; r++, at += bytes, g_at += bytes) {
		double mean = 0, rstd;

		if (centered)
			kernels->moments(at, row, &mean, &rstd);
		else
			kernels->squares(at, row, &rstd);
		normalize_rstd(&rstd, eps, 1, &rstd);
		finite &=
		    kernels->row_backward(at, g_at, size, centered, mean, rstd, weight, &id, weights.recent, biases.recent);
		if ((r + 1) % ROWS_PLAIN == 0) {
			fold(&weights, size);
			fold(&biases, size);
		}
	}
	fold(&weights, size);
	fold(&biases, size);
	add_up(grad_weight, weights.low, size);
	add_up(grad_bias, biases.low, size);
	return finite;
}

void
backward_clip(enum norm_real real, void *g, const void *y, size_t count, double limit)
{
	kernels_best()->of[real].clip_backward(g, y, count, limit);
}
