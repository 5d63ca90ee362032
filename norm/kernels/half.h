/* SPDX-License-Identifier: MIT */
/*
 * Rounds doubles to the two 16-bit floats, half and bfloat (base/float16.h, which reads them): plain C without
 * branches, too. Every operation must be rounded by itself, to nearest, as in all of norm/ (docs/MATH.md, rule 4).
 * Private to norm/.
 */
#pragma once

#include "base/float16.h"

static inline uint64_t
double_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
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
