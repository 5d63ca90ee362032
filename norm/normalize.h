/*
 * The forward pass: from moments to the normalized tensor (docs/MATH.md, equations 3 and 4).
 */
#ifndef NORM_NORMALIZE_H
#define NORM_NORMALIZE_H

#include <stdbool.h>

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

/*
 * Layer normalization (Ba, Kiros, Hinton 2016): each of `rows` rows of `size` elements is normalized by its own mean and
 * biased variance, then scaled and shifted per position: y[r][i] = (x[r][i] - mean_r) / sqrt(var_r + eps) * weight[i] + bias[i].
 *
 *   in/out  x       rows * size elements; holds y afterwards (in place); size >= 1
 *   in      weight, bias   `size` doubles, or NULL for ones / zeros
 *
 * Returns whether every y is finite (an x that is not finite makes its row's y not finite).
 */
bool
normalize_rows(enum norm_real real, void *x, size_t rows, size_t size, double eps, const double *weight, const double *bias);

#endif
