/* SPDX-License-Identifier: MIT */
/*
 * Batch Renormalization (Ioffe 2017, arXiv:1702.03275; docs/MATH.md, equation 11): training normalizes by the batch's
 * moments and corrects the result towards the running ones, within limits. So training computes nearly what inference
 * will.
 */
#pragma once

#include <stddef.h>

#include "norm/pool.h"

/* A layer's settings and running statistics. */
struct renorm {
	size_t features;
	double eps;
	double r_max;             /* >= 1 */
	double d_max;             /* >= 0 */
	const double *mean, *var; /* `features` doubles each; NULL before the first update, for 0 and 1 */
};

/*
 * Corrects weight and bias for a normalization by the batch's mean and rstd:
 *
 *   new_weight = r * weight,         r = clip(sqrt(batch.var + eps) / sqrt(var + eps), 1/r_max, r_max)
 *   new_bias = d * weight + bias,    d = clip((batch.mean - mean) / sqrt(var + eps), -d_max, d_max)
 *
 * All four have `features` doubles; `weight` and `bias` may be NULL for ones and zeros.
 */
void renorm_correct(const struct renorm *n, const struct moments *batch, const double *weight, const double *bias,
    double *new_weight, double *new_bias);
