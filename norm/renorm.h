/* SPDX-License-Identifier: MIT */
/*
 * Batch Renormalization (Ioffe 2017, arXiv:1702.03275; docs/MATH.md, equation 11): training normalizes by the batch's
 * moments and then corrects towards the running ones, within limits, so that training and inference see the same
 * activations.
 */
#ifndef NORM_RENORM_H
#define NORM_RENORM_H

#include <stddef.h>

struct renorm_limits {
	double eps;
	double r_max; /* >= 1 */
	double d_max; /* >= 0 */
};

/*
 * r = clip(sqrt(var + eps) / sqrt(running_var + eps), 1/r_max, r_max),  d = clip((mean - running_mean) /
 * sqrt(running_var + eps), -d_max, d_max)
 *
 * and from them what takes the place of weight and bias in y = (x - mean) * rstd * weight + bias, where rstd is the
 * batch's:
 *
 *   in   mean, var                   the batch's, `features` doubles each
 *   in   running_mean, running_var   likewise; NULL for what they are before the first update, 0 and 1
 *   in   weight, bias                likewise; NULL for ones / zeros
 *   out  new_weight                  r * weight
 *   out  new_bias                    d * weight + bias
 */
void renorm_correct(const struct renorm_limits *limits, size_t features, const double *mean, const double *var,
    const double *running_mean, const double *running_var, const double *weight, const double *bias, double *new_weight,
    double *new_bias);

#endif
