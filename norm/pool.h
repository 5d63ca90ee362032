/* SPDX-License-Identifier: MIT */
/* Moments of a batch from those of its parts (docs/MATH.md, equation 7), or of many samples from those of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "norm/update.h"

/*
 * A shard of a batch that is normalized as one, or the whole batch. A shard may be empty, have one value a channel, or
 * nothing but padding; then its mean and var are 0.
 */
struct shard {
	struct moments moments;
	size_t features;
	bool empty;                  /* the tensor has no values, not even padding */
	const double *sum, *product; /* backward: sum dy, sum dy (x - mean), by the mean of `moments`; else NULL */
	double limit;                /* train: the largest number that an output can hold; infinite: no output */
};

/*
 * Merges all `parts`, but for those without values. Out: mean and var (biased), `features` doubles each, 0 if all parts
 * are empty; count, the values of each feature. Scratch: 2 * features doubles. Returns -1 if a count would pass 2^63 -
 * 1 or a result would overflow; the outputs are then undefined.
 */
int pool_moments(const struct moments *parts, size_t part_count, size_t features, double *mean, double *var,
    double *scratch, uint64_t *count);

/* The means of each channel's moments over `samples` >= 1 samples: mean[c] = sum over n of means[n][c] / samples. */
void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var);
