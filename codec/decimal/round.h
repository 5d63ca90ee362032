/* SPDX-License-Identifier: MIT */
/*
 * mantissa·10^exponent to the nearest number of a binary format, ties to even, by one multiplication, seldom two: the
 * algorithm of Eisel and Lemire, D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and
 * Experience 51 (2021), in the form of N. Mushtak and D. Lemire, "Fast number parsing without fallback", 53 (2023), who
 * prove that it needs no fallback for a mantissa of 64 bits.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/decimal/pow10.h"

/* A binary interchange format of IEEE 754, and the decimal exponents that matter for it. */
struct decimal_format {
	int fraction_bits;
	int exponent_bias;
	int exponent_infinite; /* the exponent field of infinity */
	int sign_bit;
	int ten_first; /* below it, any mantissa gives zero */
	int ten_last;  /* above it, any mantissa but 0 overflows */
	int tie_first; /* from here ... */
	int tie_last;  /* ... to here a number can be halfway between two neighbours */
};

/*
 * Ties: a number halfway between two neighbours is m·2^p with m odd, and if these are normal, m has fraction_bits + 2
 * bits. It can be written as mantissa·10^e, mantissa < 2^64, only if
 *
 *   e >= 0: 5^e divides m, so that 5^e < 2^(fraction_bits + 2);
 *   e < 0:  m·5^-e divides the mantissa, so that 5^-e < 2^(64 - fraction_bits - 1).
 *
 * Between subnormals m may be as small as 1, but p is -25, -150 or -1075, and e no larger: only for float16 the
 * mantissa fits, where 2^-25 is 298023223876953125·10^-25 and 2980232238769531250·10^-26.
 *
 * For these e the product is exact: the powers of ten are exact, or rounded up (pow10.h) with an error of the product
 * below the mantissa, 64 bits further down.
 */
static const struct decimal_format decimal_formats[] = {
	[DECIMAL_F16] = { 10, 15, 0x1f, 15, -26, 4, -26, 5 },
	[DECIMAL_F32] = { 23, 127, 0xff, 31, -64, 38, -17, 10 },
	[DECIMAL_F64] = { 52, 1023, 0x7ff, 63, -342, 308, -4, 23 },
};

/* The bits of infinity, to which a number that is too large is rounded. */
static inline uint64_t
decimal_infinity(const struct decimal_format *f)
{
	return (uint64_t)f->exponent_infinite << f->fraction_bits;
}

struct decimal_product {
	uint64_t hi;
	uint64_t lo;
};

/* The top 128 bits of w·10^q; the power's lower 64 bits are used only if they can matter to the top `bits`. */
static inline struct decimal_product
decimal_multiply(uint64_t w, int q, int bits)
{
	struct decimal_pow10 ten = decimal_pow10(q);
	unsigned __int128 product = (unsigned __int128)w * ten.hi;
	uint64_t below = UINT64_MAX >> bits;

	if (((uint64_t)(product >> 64) & below) == below)
		product += (uint64_t)((unsigned __int128)w * ten.lo >> 64);
	return (struct decimal_product){ (uint64_t)(product >> 64), (uint64_t)product };
}

/* Rounds off the last bit of `m`; if it is all that is behind (`exact`), a tie to the even number. */
static inline uint64_t
decimal_round_bit(uint64_t m, bool exact)
{
	if (exact && (m & 3) == 1)
		return m >> 1;
	return (m + (m & 1)) >> 1;
}

/* The same for an exponent field below 1. A carry makes the smallest normal number. */
static inline uint64_t
decimal_round_subnormal(uint64_t m, int exponent, bool exact)
{
	const int lost = 1 - exponent;

	if (lost > 63)
		return 0;
	return decimal_round_bit(m >> lost, exact && m >> lost << lost == m);
}

/* The bits of the nearest number of format `f`, without a sign; those of infinity when it overflows. */
static ALWAYS_INLINE uint64_t
decimal_round(uint64_t mantissa, int64_t exponent10, const struct decimal_format *f)
{
	const uint64_t infinity = decimal_infinity(f);
	struct decimal_product product;
	int q, zeros, upper, shift, exponent;
	bool exact;
	uint64_t m;

	if (mantissa == 0 || exponent10 < f->ten_first)
		return 0;
	if (exponent10 > f->ten_last)
		return infinity;
	q = (int)exponent10;
	zeros = __builtin_clzll(mantissa);
	product = decimal_multiply(mantissa << zeros, q, f->fraction_bits + 3);
	upper = (int)(product.hi >> 63);
	shift = upper + 64 - f->fraction_bits - 3;
	m = product.hi >> shift;
	/* floor(log2(10^q)) = floor(q·217706 / 2^16) in this range. */
	exponent = (q * 217706 >> 16) + 63 + upper - zeros + f->exponent_bias;
	exact = product.lo <= 1 && q >= f->tie_first && q <= f->tie_last && m << shift == product.hi;
	if (exponent <= 0)
		return decimal_round_subnormal(m, exponent, exact);
	m = decimal_round_bit(m, exact);
	/* Added, because a significand that was rounded up to 2 is the next exponent's 1. */
	m += (uint64_t)(exponent - 1) << f->fraction_bits;
	return m < infinity ? m : infinity;
}

/* Stores a number of the type by its bits. */
static inline void
decimal_store(enum decimal_type type, uint64_t bits, bool negative, void *value)
{
	const uint64_t bits64 = bits | (uint64_t)negative << decimal_formats[type].sign_bit;
	const uint32_t bits32 = (uint32_t)bits64;
	const uint16_t bits16 = (uint16_t)bits64;

	if (type == DECIMAL_F64)
		memcpy(value, &bits64, sizeof(bits64));
	else if (type == DECIMAL_F32)
		memcpy(value, &bits32, sizeof(bits32));
	else
		memcpy(value, &bits16, sizeof(bits16));
}
