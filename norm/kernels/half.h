/* SPDX-License-Identifier: MIT */
/*
 * The two 16-bit floats, as bits in a uint16_t: half (IEEE 754 binary16: 5 bits of exponent, 10 of fraction) and bfloat
 * (the upper half of a binary32: 8 and 7). Plain C without branches, so that compilers vectorize loops over
 * them and all machines give the same bits; the processor's own conversions are not used, because not all have them.
 * Private to norm/.
 *
 * They require that every operation is rounded by itself, to nearest, as all of norm/ does (docs/MATH.md, rule 4).
 */
#ifndef NORM_KERNELS_HALF_H
#define NORM_KERNELS_HALF_H

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
 * A float with the half's exponent moved from bias 15 to bias 127 (by 112) and its fraction in the upper bits has that
 * value, except at the two ends of the exponent. 31 (infinity, NaN) is moved by 112 again, to 255. 0 (a subnormal, f *
 * 2^-24) is moved by 113 and so read as 2^-14 + f * 2^-24, and 2^-14 taken off again: exact, since both are multiples
 * of 2^-24 below 2^-13. No float on the way is subnormal, because some processors spend a hundred cycles on one. The
 * two choices are masks: gcc would split conditions into more branches.
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
 * The 16-bit float nearest to x, of two equally near ones the even one; beyond the largest by half its last place or
 * more, infinity. NaN gives a quiet NaN. The format is given by the bits of its fraction and by two exponents: of its
 * smallest normal number, and of the power of two that would follow its largest number.
 *
 * Rounded once, though in two steps. First x loses the lower half of its bits, for which the last bit kept is set if
 * any of them was: with 20 bits of fraction left, and at most 10 wanted, that bit lies below the middle between any two
 * numbers of the format. So x is never moved to a middle, off one, or across one, and what is rounded next is as good
 * as x itself (rounding to odd: Boldo, Melquiond 2008).
 *
 * `wide` is |x| then in the format's own bias: its exponent is 1 for the smallest normal numbers, below 1 for
 * subnormals. What exceeds the format counts as the power of two after its largest number, whose bits are infinity's;
 * NaN as 1.5 times that, whose bits are a quiet NaN's; what is far below the smallest subnormal as another number that
 * rounds to 0.
 *
 * With `power` the power of two at or below that, but not below the smallest normal number, wide / power < 2 is added,
 * as a float, to 2^(23 - fraction). The sum's last place is worth 2^-fraction: the addition rounds to a multiple k of
 * that, ties to even k, and k stands in its last bits. Since k counts from 2^fraction (from 0 for subnormals), the
 * result's bits are k plus 2^fraction for each step of `power` above the smallest; k = 2^(fraction + 1) carries to the
 * next power of two.
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

#endif
