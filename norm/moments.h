/* SPDX-License-Identifier: MIT */
/*
 * Mean and variance of each feature of a tensor (docs/MATH.md, equations 1 and 2).
 */
#ifndef NORM_MOMENTS_H
#define NORM_MOMENTS_H

#include "norm/cut.h"
#include "norm/view.h"

/*
 * mean[f] = (1/n) sum x,  var[f] = (1/n) sum (x - mean[f])^2  over the n = outer * inner values of feature f: the
 * biased (population) variance. One pass about a shift that is near the mean, with the correction term of Chan, Golub
 * and LeVeque 1983, and another where the shift was not near enough (docs/MATH.md, rule 2): constant input gives its
 * value and 0 exactly, and a large mean costs no digits.
 *
 *   in   x     view.outer * view.feature * view.inner elements of type `real`; n >= 1
 *   out  mean  view.feature doubles
 *   out  var   view.feature doubles, >= 0
 *
 * A NaN or an infinity in x, or an overflow of double, shows as a value that is not finite in that feature's mean or
 * var (and only there): the caller checks the results, not the input. The arrays must not overlap.
 */
void moments(enum norm_real real, const void *x, struct norm_view view, double *mean, double *var);

/* The same of a part of the features (norm/cut.h) where feature_bands() is 1; all arrays are the whole tensor's. */
void moments_part(
    enum norm_real real, const void *x, struct norm_view view, struct norm_part features, double *mean, double *var);

/*
 * The plain means over `samples` of each channel's moments: mean[c] = (1/samples) sum over n of means[n][c], and var
 * likewise.
 *
 *   in   means, vars   samples * channels doubles; samples >= 1
 *   out  mean, var     channels doubles
 */
void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var);

/*
 * square[f] = (1/n) sum x^2: the same sums about 0 (docs/MATH.md, equation 10). Arguments, and what is not finite, as
 * above.
 */
void mean_squares(enum norm_real real, const void *x, struct norm_view view, double *square);

#endif
