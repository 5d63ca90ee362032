/* SPDX-License-Identifier: MIT */
/*
 * The forward pass: from moments to the normalized tensor (docs/MATH.md, equations 3 and 4).
 */
#ifndef NORM_NORMALIZE_H
#define NORM_NORMALIZE_H

#include <stdbool.h>

#include "norm/cut.h"
#include "norm/view.h"

/* rstd[f] = 1 / sqrt(var[f] + eps). `rstd` may be `var` itself. */
void normalize_rstd(const double *var, double eps, size_t features, double *rstd);

/*
 * y = (x - mean[f]) * rstd[f] * weight[f] + bias[f]: scale and shift per feature (batch normalization).
 * Computed in double, rounded to the element type once.
 *
 *   in/out  x       view.outer * view.feature * view.inner elements; holds y afterwards (in place)
 *   in      mean, rstd     view.feature doubles
 *   in      weight, bias   view.feature doubles, or NULL for ones / zeros
 *
 * Returns whether every y is finite. The small arrays must not overlap x.
 */
bool normalize_by_feature(enum norm_real real, void *x, struct norm_view view, const double *mean, const double *rstd,
    const double *weight, const double *bias);

/* The same of a part of the elements (norm/cut.h); all arrays are the whole tensor's. */
bool normalize_by_feature_part(enum norm_real real, void *x, struct norm_view view, struct norm_part elements,
    const double *mean, const double *rstd, const double *weight, const double *bias);

/*
 * moments() of x, then normalize_by_feature() with them, to the same bits: but each feature's values are read again
 * while they are in the cache. eps is added to the variance.
 *
 *   out  mean, var, rstd   view.feature doubles each; as of moments() and normalize_rstd()
 *
 * Returns whether every y is finite. Whether mean and var are, which an overflow of the variance shows in alone, is the
 * caller's to see.
 */
bool normalize_batch(enum norm_real real, void *x, struct norm_view view, double eps, const double *weight,
    const double *bias, double *mean, double *var, double *rstd);

/* The same of a part of the features; all arrays are the whole tensor's. */
bool normalize_batch_part(enum norm_real real, void *x, struct norm_view view, struct norm_part features, double eps,
    const double *weight, const double *bias, double *mean, double *var, double *rstd);

/*
 * normalize_by_feature() where each sample has statistics of its own, one per channel (instance normalization that
 * tracks): the view's outer are the samples, `mean` and `rstd` have outer * feature doubles, `weight` and `bias` have
 * `feature`.
 */
bool normalize_by_sample(enum norm_real real, void *x, struct norm_view view, const double *mean, const double *rstd,
    const double *weight, const double *bias);

/* The same of a part of the elements; all arrays are the whole tensor's. */
bool normalize_by_sample_part(enum norm_real real, void *x, struct norm_view view, struct norm_part elements,
    const double *mean, const double *rstd, const double *weight, const double *bias);

/*
 * Group normalization (Wu, He 2018): the channels of each sample are cut into `groups` groups of as many, each
 * normalized by its own mean and biased variance, then scaled and shifted per channel. With as many groups as channels
 * it is instance normalization (Ulyanov, Vedaldi, Lempitsky 2016).
 *
 *   in/out  x       samples (outer) of channels (feature, a multiple of groups) of positions (inner, >= 1); holds y
 *           afterwards
 *   in      weight, bias   view.feature doubles, or NULL for ones / zeros
 *
 * Returns whether every y is finite (an x that is not finite makes its group's y not finite).
 */
bool normalize_groups(enum norm_real real, void *x, struct norm_view view, size_t groups, double eps,
    const double *weight, const double *bias);

/* The same of a part of the view.outer * groups groups of all samples; all arrays are the whole tensor's. */
bool normalize_groups_part(enum norm_real real, void *x, struct norm_view view, size_t groups, struct norm_part part,
    double eps, const double *weight, const double *bias);

/*
 * Gives each channel its group's number, in place: value[c] = value[c / (channels / groups)] for the `groups` first
 * ones.
 */
void normalize_spread(double *value, size_t groups, size_t channels);

/*
 * Layer normalization (Ba, Kiros, Hinton 2016): each of `rows` rows of `size` elements is normalized by its own mean
 * and biased variance, then scaled and shifted per position: y[r][i] = (x[r][i] - mean_r) / sqrt(var_r + eps) *
 * weight[i] + bias[i]. Without `centered` it is RMS normalization (Zhang, Sennrich 2019): the mean square takes the
 * variance's place and 0 the mean's.
 *
 *   in/out  x       rows * size elements; holds y afterwards (in place); size >= 1
 *   in      weight, bias   `size` doubles, or NULL for ones / zeros
 *
 * Returns whether every y is finite (an x that is not finite makes its row's y not finite). A part is a call with some
 * of the rows.
 */
bool normalize_rows(enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps,
    const double *weight, const double *bias);

/* The same by means and rstds that are given, `rows` doubles each. */
bool normalize_rows_by(enum norm_real real, void *x, size_t rows, size_t size, const double *mean, const double *rstd,
    const double *weight, const double *bias);

/* Limits `count` elements to -limit..limit (limit > 0, rounded to the element type). */
void normalize_clip(enum norm_real real, void *x, size_t count, double limit);

#endif
