/* SPDX-License-Identifier: MIT */
/*
 * The two 16-bit floats, as bits in a uint16_t: half (IEEE 754 binary16: 5 bits of exponent, 10 of fraction) and bfloat
 * (the upper half of a binary32: 8 and 7). Plain C without branches: compilers vectorize loops over it, and all
 * machines give the same bits, with or without conversions of their own. Every operation must be rounded by itself, to
 * nearest, as in all of norm/ (docs/MATH.md, rule 4). Private to norm/.
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

static inline uint64_t
double_bits(double x)
{
	uint64_t bits;

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

/*
 * The 16-bit float nearest to x, ties to even: infinity from half a last place beyond the largest number on, a quiet
 * NaN for NaN. `fraction` is the format's number of fraction bits, `smallest` the exponent of its smallest normal
 * number, `limit` the exponent of the power of two after its largest.
 *
 * 1. `odd` is the upper half of x's bits, with the last bit set if the lower half is not 0 (rounding to odd: Boldo,
 *    Melquiond 2008). This bit lies below the middle between any two numbers of the format, so that rounding again
 *    gives what one rounding of x would give.
 * 2. `wide` is the magnitude with the format's bias: the smallest normal numbers have exponent 1. Too large a number is
 *    `infinity`, NaN 1.5 times that, and too small a number one that still rounds to 0.
 * 3. `ratio` is wide / power, below 2. `power` is the power of two at or below `wide`, and at least the smallest normal
 *    number. Adding 2^(23 - fraction) as a float rounds `ratio` to a multiple k of 2^-fraction, and leaves k in the
 *    sum's last bits.
 * 4. k counts from 2^fraction (from 0 for subnormals). So the result is k, plus 2^fraction for each step of `power`
 *    above the smallest; k = 2^(fraction + 1) carries into the exponent.
 */
static inline uint16_t
double_to_16_bits(double x, int fraction, int smallest, int limit)
{
	const uint64_t bits = double_bits(x);
	const uint32_t odd = (uint32_t)(bits >> 32) | ((uint32_t)bits != 0 ? 1 : 0);
	const int32_t one = 1 << 20, infinity = (limit - smallest + 1) * one, tiny = -64 * one;
	const int32_t magnitude = (int32_t)(odd & 0x7fffffff);
	const int32_t nan = magnitude > 0x7ff * one ? one / 2 : 0;
	const int32_t own_bias = magnitude - (1023 + smallest - 1) * one;
	const int32_t not_tiny = own_bias > tiny ? own_bias : tiny;
	const int32_t wide = (not_tiny < infinity ? not_tiny : infinity) | nan;
	const int32_t own_power = wide & -one;
	const int32_t power = own_power > one ? own_power : one;
	const float ratio = float_from_bits((uint32_t)(wide - power + 127 * one) << 3);
	const uint32_t k = float_bits(ratio + (float)(1 << (23 - fraction))) & ((1U << (fraction + 2)) - 1);
	const uint32_t steps = (uint32_t)(power - one) >> (20 - fraction);

	return (uint16_t)((odd >> 31 << 15) | (steps + k));
}

static inline uint16_t
store_half(double x)
{
	return double_to_16_bits(x, 10, -14, 16);
}

static inline uint16_t
store_bfloat(double x)
{
	return double_to_16_bits(x, 7, -126, 128);
}
