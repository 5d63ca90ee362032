/* SPDX-License-Identifier: MIT */
#include "norm/finite.h"

#include <stdint.h>
#include <string.h>

bool
finite_all(const double *x, size_t n)
{
	return finite_below(x, n, 1024);
}

/*
 * 2^power has the exponent power + 1023. What is added to an exponent makes that and those above carry into the place
 * of the sign. These are integers because compilers vectorize this loop, and not one that compares doubles.
 */
bool
finite_below(const double *x, size_t n, int power)
{
	const uint64_t exponent = (uint64_t)0x7ff << 52, last = (uint64_t)(0x800 - 1023 - power) << 52;
	uint64_t carries = 0, bits;

	for (size_t i = 0; i < n; i++) {
		memcpy(&bits, &x[i], sizeof(bits));
		carries |= (bits & exponent) + last;
	}
	return carries >> 63 == 0;
}
