/* SPDX-License-Identifier: MIT */
/*
 * A pass over a tensor is a value: the operation, the tensor, and everything that the operation reads and writes.
 * Kernels and the functions that cut a pass into parts take the same struct. layer/pass_run.h runs it.
 *
 * The view has at least one element. All arrays belong to the caller and must not overlap, except that x may be y. A
 * parameter array has a double for each feature of the view, or for each position of a row. An operation reads and
 * writes only the members that its entry below names.
 *
 * Everything is computed in double and rounded to the element type once. A NaN, an infinity or an overflow in the input
 * shows as a value that is not finite in the output of the same feature, group or row, and nowhere else: the caller
 * checks results, not input.
 */
#pragma once

#include <stdbool.h>

#include "norm/cut.h"
#include "norm/view.h"

struct padding;
struct norm_op;

/* What x is normalized by: y = (x - mean) * rstd * weight + bias. */
struct norm_by {
	const double *mean, *rstd;
	const double *weight, *bias; /* NULL: ones, zeros */
};

/* What was counted of a feature whose values may be NaN or infinite. */
struct norm_tally {
	uint64_t finite, nan, infinite;
	uint64_t beyond; /* finite values that are far from the middle */
	double min, max; /* of finite values; without any, infinity and -infinity */
};

struct norm_pass {
	const struct norm_op *op;
	enum norm_real real;
	struct norm_view view;
	const void *x; /* view.outer * view.feature * view.inner elements of type `real` */
	void *y;       /* as many; forward: x becomes y in place; backward: dy becomes dx in place */

	/* Settings. */
	double eps;     /* added to the variance */
	double limit;   /* > 0: outputs are limited to -limit..limit */
	size_t groups;  /* divides view.feature */
	uint64_t count; /* values of each feature that the moments are of; 0: mean and rstd are constants */
	bool centered;  /* layer normalization; false: RMS normalization, 0 and the mean square as moments */
	const struct padding *padding;

	/* Input. */
	struct norm_by by;
	const double *sum, *product; /* what norm_sums measured over all values that share the moments */
	const double *reach;         /* how far from by.mean a value may be before it counts as far, by feature */

	/* Output. */
	double *mean, *var, *rstd;
	double *mean_low; /* what rounding took from the means; NULL: not wanted */
	double *grad_weight, *grad_bias;
	struct norm_tally *tally;

	double *scratch; /* op->scratch(view) doubles */
};

/* How an operation is computed. Rows are constants; NULL members mean: nothing. */
struct norm_op {
	/* Computes one part of `p`. Parts may run at the same time. Returns whether every element written is finite. */
	bool (*part)(const struct norm_pass *p, struct norm_part part);
	/* What the parts are cut from. */
	struct norm_cut (*cut)(const struct norm_pass *p);

	/* Runs once before all parts; once after them. */
	void (*begin)(const struct norm_pass *p);
	void (*end)(const struct norm_pass *p);

	/* Doubles of scratch memory for a pass over this view. */
	size_t (*scratch)(struct norm_view view);

	/* Replaces the operation where feature_bands(view) > 1; needs FEATURE_BANDS_SCRATCH doubles. */
	const struct norm_op *in_bands;

	/*
	 * Two passes with the same result, for a view whose features are too few to be shared out among threads:
	 * `first`, then the pass that `second` turns `p` into.
	 */
	const struct norm_op *first;
	void (*second)(struct norm_pass *p);
};

/* ---- measuring */

/*
 * mean[f] = (1/n) sum x, var[f] = (1/n) sum (x - mean[f])^2 over the n = outer * inner >= 1 values of feature f
 * (docs/MATH.md, equations 1 and 2). One reading about a shift near the mean, with the correction term of Chan, Golub
 * and LeVeque 1983; a second reading where the shift was not near enough (rule 2). Constant input gives its value and 0
 * exactly. The caller checks mean and var.
 *
 * In: x. Out: mean, var (biased, >= 0), mean_low.
 */
extern const struct norm_op norm_moments;

/*
 * Counts the values of each feature that are NaN, infinite, or farther than `reach` from by.mean, and measures the
 * moments of the finite ones by two readings: equal values give their value and 0 exactly, and mean 0 and variance 0
 * where there is none. Moments that overflow are not finite. In: x, by.mean, reach. Out: tally, mean, var (biased).
 */
extern const struct norm_op norm_survey;

/*
 * grad_bias[f] = sum dy, grad_weight[f] = sum dy (x - mean[f]). Only reads y, the gradient by the output. The order of
 * the additions depends on by.rstd as on by.mean. In: x, y, by.mean, by.rstd. Out: grad_weight, grad_bias.
 */
extern const struct norm_op norm_sums;

/* ---- forward (equations 3 and 4) */

/*
 * Batch normalization by the batch's own moments: norm_moments, then norm_by_feature by them, with the same bits but
 * fewer readings from memory. The caller checks mean and var: an overflow of the variance shows only there.
 * In: x and y, the same tensor; eps, by.weight, by.bias. Out: y, mean, var, rstd.
 */
extern const struct norm_op norm_batch;

/* Normalizes each feature by given numbers. In: y, by. Out: y. */
extern const struct norm_op norm_by_feature;

/*
 * norm_by_feature, which also measures the mean and the biased variance of what it normalizes, in one reading
 * (docs/MATH.md, rule 7). `count` values of each feature are measured; all others must equal the first one, as
 * padding does after norm_fill. Where one is not finite, or a sum overflows, the variance is not finite.
 * In: y, by, count. Out: y, mean, var. Needs scratch.
 */
extern const struct norm_op norm_observe;

/* As norm_by_feature, with outer * feature values in by.mean and by.rstd: each sample's channels have their own. */
extern const struct norm_op norm_by_sample;

/*
 * Group normalization (Wu, He 2018): the channels of each sample (outer) form `groups` groups of equal size, each
 * normalized by its own moments, then scaled and shifted per channel. With as many groups as channels it is instance
 * normalization (Ulyanov, Vedaldi, Lempitsky 2016). In: y, groups, eps, by.weight, by.bias. Out: y.
 */
extern const struct norm_op norm_groups;

/*
 * Layer normalization (Ba, Kiros, Hinton 2016), or RMS normalization (Zhang, Sennrich 2019) if not `centered`. The view
 * is (1, rows, size); each row is normalized by its own moments; by.weight and by.bias have `size` values. In: y,
 * centered, eps, by.weight, by.bias. Out: y.
 */
extern const struct norm_op norm_rows;

/* Normalizes each row by given numbers, `rows` values in by.mean and by.rstd. In: y, by. Out: y. */
extern const struct norm_op norm_rows_by;

/* Limits each element to -limit..limit, rounded to the element type. In: y, limit. Out: y. */
extern const struct norm_op norm_clip;

/* ---- backward (equations 20 to 23): x is the input of the forward pass, y holds dy and afterwards dx */

/*
 * Of norm_by_feature. With count > 0 (training) the gradient also flows through the moments of `count` values. In: x,
 * y, count, by.mean, by.rstd, by.weight. Out: y, grad_weight = sum dy (x - mean) rstd, grad_bias = sum dy. Needs
 * scratch.
 */
extern const struct norm_op norm_batch_backward;

/*
 * Of a shard, by the sums over all values that share the moments.
 * In: x, y, count, by.mean, by.rstd, by.weight, sum, product. Out: y. Needs scratch.
 */
extern const struct norm_op norm_shard_backward;

/* Of norm_groups. In: x, y, groups, eps, by.weight. Out: y, grad_weight, grad_bias. Needs scratch. */
extern const struct norm_op norm_groups_backward;

/* Of norm_rows. In: x, y, centered, eps, by.weight. Out: y, grad_weight, grad_bias (`size` values). Needs scratch. */
extern const struct norm_op norm_rows_backward;

/* Of norm_clip: x is its output before clipping. dy becomes 0 where |x| > limit. In: x, y, limit. Out: y. */
extern const struct norm_op norm_clip_backward;

/* ---- padding (norm/padding.h) */

/* In: x, padding. Out: y. norm_fill and norm_clear work on y in place. */
extern const struct norm_op norm_pack, norm_unpack, norm_fill, norm_clear;

/* The address of element `i` of x and of y. */
static inline const void *
norm_pass_x(const struct norm_pass *p, size_t i)
{
	return (const unsigned char *)p->x + i * norm_real_size(p->real);
}

static inline void *
norm_pass_y(const struct norm_pass *p, size_t i)
{
	return (unsigned char *)p->y + i * norm_real_size(p->real);
}
