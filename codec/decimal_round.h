/*
 * mantissa·10^exponent to the nearest float or double, ties to even, by one multiplication, seldom two: the algorithm of Eisel and
 * Lemire, D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51 (2021), in the form of N.
 * Mushtak and D. Lemire, "Fast number parsing without fallback", 53 (2023), who prove that it needs no fallback for a mantissa
 * of 64 bits. Private to the decimal codec.
 */
#ifndef CODEC_DECIMAL_ROUND_H
#define CODEC_DECIMAL_ROUND_H

#include "codec/decimal_pow10.h"

/* A binary interchange format of IEEE 754, and what of the decimal exponents matters for it. */
struct decimal_format {
	int fraction_bits;
	int exponent_bias;
	int exponent_infinite; /* the exponent field of infinity */
	int ten_first;         /* below it, any mantissa gives zero */
	int ten_last;          /* above it, any mantissa but 0 overflows */
	int tie_first;         /* only from here ... */
	int tie_last;          /* ... to here can a number lie right between two neighbours */
};

static const struct decimal_format decimal_format_f32 = { 23, 127, 0xff, -64, 38, -17, 10 };
static const struct decimal_format decimal_format_f64 = { 52, 1023, 0x7ff, -342, 308, -4, 23 };

struct decimal_product {
	uint64_t hi;
	uint64_t lo;
};

/* The top 128 bits of w·10^q, the lower 64 of the power taken into account only where they can matter to the top `bits`. */
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

/* `m`, a significand with one bit to round by and a field for the exponent, below which lies the smallest normal number. */
static inline uint64_t
decimal_round_subnormal(uint64_t m, int exponent)
{
	if (exponent <= -63)
		return 0;
	m >>= 1 - exponent;
	/* A midpoint here has more digits than a mantissa of 64 bits. The carry into the exponent field is the smallest normal. */
	return (m + (m & 1)) >> 1;
}

/* The bits of the nearest number of format `f`, without a sign; those of infinity when it overflows. */
static inline uint64_t
decimal_round(uint64_t mantissa, int64_t exponent10, const struct decimal_format *f)
{
	const uint64_t infinity = (uint64_t)f->exponent_infinite << f->fraction_bits;
	struct decimal_product product;
	int q, zeros, upper, shift, exponent;
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
	if (exponent <= 0)
		return decimal_round_subnormal(m, exponent);
	/* Right between two, where what was shifted out is nothing but zeros: to the even one. */
	if (product.lo <= 1 && q >= f->tie_first && q <= f->tie_last && (m & 3) == 1 && m << shift == product.hi)
		m &= ~UINT64_C(1);
	m = (m + (m & 1)) >> 1;
	/* Added, not or'ed: a significand rounded up to 2 is the next exponent's 1. */
	m += (uint64_t)(exponent - 1) << f->fraction_bits;
	return m < infinity ? m : infinity;
}

#endif
