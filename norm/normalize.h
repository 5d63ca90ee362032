/* SPDX-License-Identifier: MIT */
/* Arithmetic on the numbers of features; norm/pass.h has the passes over tensors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* rstd[f] = 1 / sqrt(var[f] + eps) for `features` features. `rstd` may be `var` itself. */
void normalize_rstd(const double *var, double eps, size_t features, double *rstd);

/* Gives each of `channels` channels the number of its group of `each`, in place: value[c] = value[c / each]. */
void normalize_spread(double *value, size_t each, size_t channels);
