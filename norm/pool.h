/* SPDX-License-Identifier: MIT */
/*
 * Moments of a batch from those of its parts (docs/MATH.md, equation 7): Chan, Golub and LeVeque's merge, part after
 * part. A part of no values counts for nothing.
 */
#ifndef NORM_POOL_H
#define NORM_POOL_H

#include <stddef.h>
#include <stdint.h>

/* What was measured of a batch, or of a part of one. */
struct moments {
	uint64_t count;     /* values of each feature */
	const double *mean; /* of `features` doubles; not looked at where count is 0 */
	const double *var;  /* biased */
};

/*
 * mean and var (biased) of all `parts` together, `features` doubles each, 0 when all are empty, and the number of
 * values of each feature; scratch for 2 * features doubles. Returns -1 when a count would pass 2^63 - 1 or a result
 * would overflow; then the outputs are undefined.
 */
int pool_moments(const struct moments *parts, size_t part_count, size_t features, double *mean, double *var,
    double *scratch, uint64_t *count);

#endif
