/* SPDX-License-Identifier: MIT */
/*
 * One element of each type of tensor. load_ gives its value as a double, exactly; store_ rounds a double once, to the
 * nearest number of the type. Private to norm/.
 *
 * excess_ is 0 if x is finite, in an integer as wide as x. Loops collect it by "or" and test it once, at the end. x - x
 * is 0 for finite x, else NaN; in a 16-bit float the largest exponent plus 1 carries into the sign.
 */
#pragma once

#include <stddef.h>

#include "norm/kernels/half.h" /* those of half and bfloat */

/* The largest number of each type. */
static const double largest_float = 0x1.fffffep127, largest_double = 0x1.fffffffffffffp1023, largest_half = 65504,
		    largest_bfloat = 0x1.fep127;

static inline double
load_float(float x)
{
	return (double)x;
}

static inline float
store_float(double x)
{
	return (float)x;
}

static inline uint32_t
excess_float(float x)
{
	return float_bits(x - x);
}

static inline double
load_double(double x)
{
	return x;
}

static inline double
store_double(double x)
{
	return x;
}

static inline uint64_t
excess_double(double x)
{
	return double_bits(x - x);
}

static inline uint16_t
excess_half(uint16_t x)
{
	return (uint16_t)((x & 0x7fff) + 0x0400) & 0x8000;
}

static inline uint16_t
excess_bfloat(uint16_t x)
{
	return (uint16_t)((x & 0x7fff) + 0x0080) & 0x8000;
}

/* The largest magnitude of n numbers, by comparing their bits; a NaN is the largest. `other` if `value` is NULL. */
static inline double
largest_magnitude(const double *value, size_t n, double other)
{
	uint64_t largest = 0, bits;
	double magnitude;
	size_t i;

	if (value == NULL)
		return other;
	for (i = 0; i < n; i++) {
		bits = double_bits(value[i]) & 0x7fffffffffffffff;
		largest = bits > largest ? bits : largest;
	}
	memcpy(&magnitude, &largest, sizeof(magnitude));
	return magnitude;
}
