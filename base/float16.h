/* SPDX-License-Identifier: MIT */
/*
 * The values of the two 16-bit floats, given as bits in a uint16_t: half (IEEE 754 binary16: 5 bits of exponent, 10 of
 * fraction) and bfloat (the upper half of a binary32: 8 and 7). Plain C without branches: compilers vectorize loops
 * over it, and all machines give the same bits, with or without conversions of their own.
 */
#pragma once

#include <stdint.h>
#include <string.h>

static inline float
float_from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint32_t
float_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/*
 * The value of a half, exactly; a NaN stays a NaN.
 *
 * The fraction moves to a float's upper bits, and the exponent from bias 15 to bias 127, which adds 112. Infinity and
 * NaN (exponent 31) get 112 once more, to reach 255. A subnormal f * 2^-24 (exponent 0) gets 113, which reads as 2^-14
 * + f * 2^-24; then 2^-14 is subtracted, exactly. No float on the way is subnormal, because some processors spend a
 * hundred cycles on one. The two choices are masks: gcc would make branches of conditions.
 */
static inline double
load_half(uint16_t half)
{
	const int32_t one = 1 << 23, rest = (half & 0x7fff) << 13;
	const int32_t infinite = rest >= 0x7c00 << 13 ? -1 : 0, subnormal = rest < 0x0400 << 13 ? -1 : 0;
	const int32_t moved = rest + 112 * one + (infinite & 112 * one) + (subnormal & one);
	const float magnitude = float_from_bits((uint32_t)moved) - float_from_bits((uint32_t)(subnormal & 113 * one));

	return (double)float_from_bits(float_bits(magnitude) | (uint32_t)(half & 0x8000) << 16);
}

/* The value of a bfloat, exactly; a NaN stays a NaN. */
static inline double
load_bfloat(uint16_t bfloat)
{
	return (double)float_from_bits((uint32_t)bfloat << 16);
}
