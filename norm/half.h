/*
 * The two 16-bit floats, as bits in a uint16_t: half (IEEE 754 binary16: 5 bits of exponent, 10 of fraction) and bfloat (the upper
 * half of a binary32: 8 and 7). Plain C without a branch, so that a loop over it becomes vectors on any machine, and the bits
 * are the same on all: no use is made of the processor's own conversions, which only some have. Private to norm/.
 *
 * They rely on every operation being rounded on its own, to nearest, as all of norm/ does (docs/MATH.md, rule 4).
 */
#ifndef NORM_HALF_H
#define NORM_HALF_H

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

static inline double
double_from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint64_t
double_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/*
 * The value of a half; exact, a NaN stays one.
 *
 * A float with the half's exponent moved from bias 15 to bias 127 (by 112) and its fraction in the upper bits is that
 * value, but for the two ends of the exponent. 31 (infinity, NaN) becomes 255. 0 (a subnormal, f * 2^-24) is read with
 * exponent 1 as 2^-14 + f * 2^-24, and 2^-14 taken off again: exact, since both are multiples of 2^-24 below 2^-13. No float
 * on the way is subnormal, which some processors take a hundred cycles over.
 */
static inline double
half_to_double(uint16_t half)
{
	const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
	const uint32_t bias = rest >= (uint32_t)0x7c00 << 13 ? (uint32_t)(112 + 112) << 23 : (uint32_t)112 << 23;
	const float normal = float_from_bits(rest + bias);
	const float subnormal = float_from_bits(rest + ((uint32_t)113 << 23)) - 0x1p-14F;
	const float magnitude = rest < (uint32_t)0x0400 << 13 ? subnormal : normal;

	return (double)float_from_bits(float_bits(magnitude) | sign);
}

/* The value of a bfloat; exact, a NaN stays one. */
static inline double
bfloat_to_double(uint16_t bfloat)
{
	return (double)float_from_bits((uint32_t)bfloat << 16);
}

/*
 * The 16-bit float nearest to x, of two equally near ones the even one; beyond the largest by half its last place or more,
 * infinity. Rounded once, from double. NaN gives a quiet NaN. The format is given by the bits of its fraction, its smallest
 * normal number, and the power of two (`limit`) that would follow its largest number.
 *
 * Let 2^e be the power of two at or below |x|, but not below the smallest normal number. Then the format's numbers around
 * |x| are multiples of the quantum q = 2^(e - fraction), and |x| < 2^(fraction + 1) q. In the sum |x| + 2^52 q the last place
 * of a double is worth q: the addition itself rounds |x| to a multiple k q, ties to even k, and k stands in the sum's last
 * bits. Since k counts from 2^fraction (or from 0 where |x| is subnormal), the number's bits are k plus 2^fraction
 * for each step of e above the smallest; where k is rounded up to 2^(fraction + 1), the carry makes the next power of two.
 * What exceeds `limit` counts as `limit`, whose bits by this rule are infinity's; so are those of what is rounded up to it. NaN
 * counts as 1.5 limit, whose bits are a quiet NaN's.
 */
static inline uint16_t
double_to_16_bits(double x, unsigned fraction, double smallest_normal, double limit)
{
	const uint64_t exponent_bits = (uint64_t)0x7ff << 52, to_magic = (uint64_t)(52 - fraction) << 52;
	const uint64_t bits = double_bits(x);
	const double magnitude = double_from_bits(bits & ~((uint64_t)1 << 63));
	const double number = magnitude < limit ? magnitude : limit;
	const double bounded = x == x ? number : 1.5 * limit;
	const double own_power = double_from_bits(double_bits(bounded) & exponent_bits);
	const uint64_t power = double_bits(own_power > smallest_normal ? own_power : smallest_normal);
	const uint64_t k = double_bits(bounded + double_from_bits(power + to_magic)) & (((uint64_t)1 << (fraction + 2)) - 1);
	const uint64_t steps = (power - double_bits(smallest_normal)) >> (52 - fraction);

	return (uint16_t)((bits >> 63 << 15) | (steps + k));
}

static inline uint16_t
half_from_double(double x)
{
	return double_to_16_bits(x, 10, 0x1p-14, 0x1p16);
}

static inline uint16_t
bfloat_from_double(double x)
{
	return double_to_16_bits(x, 7, 0x1p-126, 0x1p128);
}

#endif
