/* SPDX-License-Identifier: MIT */
/* Arithmetic on the numbers of features; norm/pass.h has the passes over tensors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* rstd[f] = 1 / sqrt(var[f] + eps) for `features` features. `rstd` may be `var` itself. */
void normalize_rstd(const double *var, double eps, size_t features, double *rstd);

/*
 * Whether all of `n` numbers are finite. If 1 is added to an exponent, only one that is all ones carries into the place
 * of the sign. These are integers because compilers vectorize this loop, and not one that compares doubles.
 */
static inline bool
normalize_finite(const double *x, size_t n)
{
	const uint64_t exponent = (uint64_t)0x7ff << 52, last = (uint64_t)1 << 52;
	uint64_t carries = 0, bits;

	for (size_t i = 0; i < n; i++) {
		memcpy(&bits, &x[i], sizeof(bits));
		carries |= (bits & exponent) + last;
	}
	return carries >> 63 == 0;
}

/* Gives each of `channels` channels the number of its group of `each`, in place: value[c] = value[c / each]. */
void normalize_spread(double *value, size_t each, size_t channels);
