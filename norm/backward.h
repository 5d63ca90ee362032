/* SPDX-License-Identifier: MIT */
/*
 * The backward pass: from the gradient of the loss by y to those by x, weight and bias (docs/MATH.md, equations 20 to
 * 23). Moments are measured again from x: nothing is kept between the passes.
 *
 * Throughout: `x` is what went into the forward pass; `g` holds the gradient by y and afterwards, in place, the one by
 * x; both are of type `real`. All is computed in double and rounded to the element type once. `weight` is NULL for
 * ones. The return value says whether every element of the gradient by x is finite; whether those of weight and bias
 * are is the caller's to see. An x or g that is not finite shows there.
 */
#ifndef NORM_BACKWARD_H
#define NORM_BACKWARD_H

#include <stdbool.h>

#include "norm/cut.h"
#include "norm/view.h"

/*
 * y = (x - mean[f]) * rstd[f] * weight[f] + bias[f], of a view (outer, feature, inner).
 *
 *   in   n      of how many values of each feature mean and rstd are the moments, so that the gradient flows through
 *               them (training); 0: they are constants (inference)
 *   out  grad_weight, grad_bias   view.feature doubles: sum g (x - mean) rstd, sum g
 *   scratch      3 * view.feature doubles
 */
bool
backward_by_feature(enum norm_real real, const void *x, void *g, struct norm_view view, size_t n, const double *mean,
    const double *rstd, const double *weight, double *grad_weight, double *grad_bias, double *scratch);

/* The same of some features, at multiples of cut_step(), where feature_bands() is 1. */
bool backward_by_feature_part(enum norm_real real, const void *x, void *g, struct norm_view view,
    struct norm_part features, size_t n, const double *mean, const double *rstd, const double *weight,
    double *grad_weight, double *grad_bias, double *scratch);

/*
 * sum[f] = sum g, product[f] = sum g (x - mean[f]): view.feature doubles each. How they are added up depends on rstd,
 * as on mean.
 */
void backward_sums(enum norm_real real, const void *x, const void *g, struct norm_view view, const double *mean,
    const double *rstd, double *sum, double *product);

/* The same of some features, likewise. */
void backward_sums_part(enum norm_real real, const void *x, const void *g, struct norm_view view,
    struct norm_part features, const double *mean, const double *rstd, double *sum, double *product);

/* What `n` values' sums come to, for `features` features: 3 * features doubles. */
void backward_coefficients(uint64_t n, size_t features, const double *rstd, const double *weight, const double *sum,
    const double *product, double *scratch);

/* The gradients by those, of a view or of any indices of outer of one. Only reads `scratch`. */
bool backward_by_coefficients(enum norm_real real, const void *x, void *g, struct norm_view view, const double *mean,
    const double *rstd, double *scratch);

/* backward_by_feature where the sums over all values that share the moments are given: of a shard of them. */
bool
backward_by_sums(enum norm_real real, const void *x, void *g, struct norm_view view, uint64_t n, const double *mean,
    const double *rstd, const double *weight, const double *sum, const double *product, double *scratch);

/* Doubles of scratch memory for each band of samples, times the channels, and of rows, times their size. */
#define BACKWARD_GROUPS_SCRATCH ((size_t)11)
#define BACKWARD_ROWS_SCRATCH ((size_t)6)

/* How many bands samples or rows are cut into, for the sums over all of them; at least 1. */
size_t backward_groups_bands(struct norm_view view);
size_t backward_rows_bands(size_t rows, size_t size);

/*
 * Group normalization, of which instance normalization is the case of as many groups as channels: the view is (samples,
 * channels, positions), as for normalize_groups.
 *
 *   out  grad_weight, grad_bias   view.feature doubles
 *   scratch      BACKWARD_GROUPS_SCRATCH * view.feature doubles for each band
 */
bool backward_groups(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch);

/*
 * The same of some bands, by several threads at once, and then the gradients by weight and bias from the scratch memory
 * of all.
 */
bool backward_groups_part(enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups,
    struct norm_part bands, double eps, const double *weight, double *scratch);
void backward_groups_join(struct norm_view view, const double *scratch, double *grad_weight, double *grad_bias);

/*
 * Layer normalization, and without `centered` RMS normalization: `rows` rows of `size` elements, weight and bias per
 * position.
 *
 *   out  grad_weight, grad_bias   `size` doubles
 *   scratch      BACKWARD_ROWS_SCRATCH * size doubles for each band
 */
bool backward_rows(enum norm_real real, const void *x, void *g, size_t rows, size_t size, bool centered, double eps,
    const double *weight, double *grad_weight, double *grad_bias, double *scratch);

/* The same of some bands, likewise. */
bool backward_rows_part(enum norm_real real, const void *x, void *g, size_t rows, size_t size, struct norm_part bands,
    bool centered, double eps, const double *weight, double *scratch);
void backward_rows_join(size_t rows, size_t size, const double *scratch, double *grad_weight, double *grad_bias);

/* Where |y| > limit the output was clipped, and nothing flows back: g becomes 0 there. `count` elements each. */
void backward_clip(enum norm_real real, void *g, const void *y, size_t count, double limit);

#endif
