/* SPDX-License-Identifier: MIT */
/* Averages of moments; norm/pass.h measures them. */
#pragma once

#include <stddef.h>

/*
 * The means of each channel's moments over `samples` >= 1 samples: mean[c] = (1/samples) sum over n of means[n][c], and
 * var likewise.
 */
void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var);
