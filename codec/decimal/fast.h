/* SPDX-License-Identifier: MIT */
/*
 * Reading in a loop over millions of numbers. Ordinary numbers of a list are read here, in line, because `end` is where
 * the next number starts: through memory it would delay every number by a store and a load. Others take a call
 * (long.c).
 *
 * An ordinary number has no exponent, and a ',' or a ']' follows within 16 characters. That is searched first, so that
 * the next number can begin while this one is still computed; then the text before it is checked. The digits are loaded
 * backwards from the number's end, so that they are in their places whatever their count is: no branch depends on the
 * count or the sign, which nobody can predict. So up to 17 bytes before the number are read too, and must exist.
 */
#pragma once

#include <float.h>
#include <stdbool.h>

#include "codec/decimal.h"
#include "codec/decimal/lanes.h"

_Static_assert(FLT_EVAL_METHOD == 0, "a double operation must round to double, once");

#define DECIMAL_WINDOW 16

/* (-1)^negative · mantissa / 10^fraction, mantissa < 10^15, fraction <= 14. */
struct decimal_ordinary {
	uint64_t mantissa;
	unsigned fraction;
	bool negative;
};

/* The last 16 characters before `end` without the point, which has `fraction` digits behind it. */
static inline decimal_lanes
decimal_without_point(const char *end, unsigned fraction)
{
	decimal_lanes behind = decimal_lanes_last(fraction);

	return (decimal_lanes_load(end - DECIMAL_WINDOW) & behind) |
	    (decimal_lanes_load(end - DECIMAL_WINDOW - 1) & ~behind);
}

/* Returns the byte after the ordinary number at `p`; NULL: there is none. Reads within [floor, limit) only. */
static inline const char *
decimal_read_ordinary(const char *floor, const char *p, const char *limit, struct decimal_ordinary *n)
{
	const decimal_lanes zeros = decimal_lanes_all('0');
	decimal_lanes text, digits;
	unsigned stops, others, count, point, sign;
	const char *end;

	if (limit - p < DECIMAL_WINDOW || p - floor <= DECIMAL_WINDOW || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return NULL;
	text = decimal_lanes_load(p);
	stops = decimal_lanes_bits((decimal_lanes)(text == ',') | (decimal_lanes)(text == ']'));
	if (stops == 0)
		return NULL;
	count = (unsigned)__builtin_ctz(stops);
	end = p + count;
	sign = *p == '-';
	/* What is neither the sign nor a digit before the stop: nothing, or the point. */
	others = (stops - 1) & ~(stops | sign | decimal_lanes_bits((decimal_lanes)((text ^ zeros) <= 9)));
	point = count;
	n->fraction = 0;
	if (others != 0) {
		point = (unsigned)__builtin_ctz(others);
		n->fraction = count - point - 1;
		if ((others & (others - 1)) != 0 || p[point] != '.' || n->fraction == 0)
			return NULL;
		digits = decimal_without_point(end, n->fraction);
	} else {
		digits = decimal_lanes_load(end - DECIMAL_WINDOW);
	}
	/* There is a digit before the point, and no more if it is 0. Without one, one less is the largest unsigned. */
	if (point - sign - 1 >= (p[sign] == '0' ? 1u : DECIMAL_WINDOW))
		return NULL;
	n->mantissa = decimal_lanes_join((digits ^ zeros) & decimal_lanes_last(count - sign - (others != 0)));
	n->negative = sign;
	return end;
}

/* The number as a double: both operands are exact, so the division rounds once (Clinger 1990). */
static inline double
decimal_ordinary_f64(const struct decimal_ordinary *n)
{
	static const double ten[2][DECIMAL_WINDOW] = {
		{ 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14 },
		{ -1e0, -1e1, -1e2, -1e3, -1e4, -1e5, -1e6, -1e7, -1e8, -1e9, -1e10, -1e11, -1e12, -1e13, -1e14 },
	};

	return (double)(int64_t)n->mantissa / ten[n->negative][n->fraction];
}

/*
 * A float is rounded from the double, which is as good as from the text: rounding to double keeps the order, and all
 * midpoints between floats are doubles, so a number can end on the wrong side of one only by becoming one. Those are
 * left to the exact reader. From 10^-14 to 10^15 a float is normal: its midpoints are the doubles with one 1 and 28
 * zeros below the float's bits.
 */
static inline bool
decimal_may_be_midpoint_f32(double wide)
{
	uint64_t bits;

	memcpy(&bits, &wide, sizeof(bits));
	return (bits & 0x1fffffff) == 0x10000000;
}

/* The same for a float16, if it is normal or zero. False: the exact reader must decide. */
static inline bool
decimal_ordinary_f16(double wide, bool negative, uint16_t *value)
{
	/* The bits of 2^-14, the smallest normal, and of 65520, which overflows: in order, as the doubles are. */
	const uint64_t smallest_normal = UINT64_C(0x3f10000000000000), overflows = UINT64_C(0x40effe0000000000);
	uint16_t bits = 0;
	uint64_t size;

	memcpy(&size, &wide, sizeof(size));
	size &= INT64_MAX;
	if (size - smallest_normal < overflows - smallest_normal && (size & 0x3ffffffffff) != 0x20000000000)
		bits = (uint16_t)(((size + 0x20000000000) >> 42) - ((1023 - 15) << 10));
	else if (size != 0)
		return false;
	*value = (uint16_t)(bits | negative << 15);
	return true;
}

/* The number in its type; false where the exact reader must decide. */
static ALWAYS_INLINE bool
decimal_ordinary_round(const struct decimal_ordinary *n, enum decimal_type type, void *value)
{
	const double wide = decimal_ordinary_f64(n);
	const float narrow = (float)wide;

	if (type == DECIMAL_F16)
		return decimal_ordinary_f16(wide, n->negative, value);
	if (type == DECIMAL_F64) {
		memcpy(value, &wide, sizeof(wide));
		return true;
	}
	if (decimal_may_be_midpoint_f32(wide))
		return false;
	memcpy(value, &narrow, sizeof(narrow));
	return true;
}

/* As decimal_read; `floor` <= p is the first byte that may be looked at, `type` a constant. */
static ALWAYS_INLINE enum decimal_result
decimal_fast_read(
    const char *floor, const char *p, const char *limit, const char **end, enum decimal_type type, void *value)
{
	struct decimal_ordinary n;
	const char *after = decimal_read_ordinary(floor, p, limit, &n);
	enum decimal_result result;

	if (after != NULL && decimal_ordinary_round(&n, type, value)) {
		*end = after;
		return DECIMAL_OK;
	}
	/* `after` is of this call alone, so that the caller's `end` can stay in a register. */
	result = decimal_long_read(floor, p, limit, &after, type, value);
	*end = after;
	return result;
}

/*
 * For a number whose type is not known yet: reads an ordinary one to the double that rounds to float and to float16 as
 * the text itself does. False: another number, or none.
 *
 * The second rounding goes wrong only where the double is a midpoint k·2^e of the narrower type and the text, m/10^f,
 * is not. Then |m - k·2^e·10^f| is not 0 and at most 2^-53·k·2^e·10^f, which is below 1/8, so it is no whole number, e
 * + f < 0, and it is a multiple of 2^(e + f): so 2^53 <= k·5^f. Between float16 k has at most 12 bits, which needs f >=
 * 18, and an ordinary number has f <= 14. Between floats, which are normal here, it has 25 bits, and f = 13 will do:
 * what may be such a midpoint is left out, as in decimal_ordinary_round.
 */
static inline bool
decimal_fast_read_open(const char *floor, const char *p, const char *limit, const char **end, double *value)
{
	struct decimal_ordinary n;
	const char *after = decimal_read_ordinary(floor, p, limit, &n);
	double wide;

	if (after == NULL)
		return false;
	wide = decimal_ordinary_f64(&n);
	if (decimal_may_be_midpoint_f32(wide))
		return false;
	*value = wide;
	*end = after;
	return true;
}
