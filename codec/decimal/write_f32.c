/* SPDX-License-Identifier: MIT */
/*
 * Writes a float, except subnormals and powers of two, which go to write.c. A usual float has a digit behind the point,
 * and none further than 13 places behind it; others differ only in their layout.
 *
 * The digits are found in a third of Schubfach's steps. One product gives the number in units of 10^(k+1), 10^k <= 2^q
 * < 10^(k+1), with 36 bits after the point. Half of the interval that reads back as the same float is added. If the sum
 * is less than a whole interval above an integer, that integer is in the interval and ends the digits; else the
 * shortest text has one digit more. Either way the integer is the same, so its eight digits are computed while that is
 * not yet known. The constants hold for every float: tests/verify_floats.cc tries all of them. (There are too many
 * doubles.)
 *
 * Numbers come in no order, so what depends on a number's sign, size or count of digits is computed without branches;
 * zeros at the end are counted, not divided off; bytes are stored eight at a time, later ones over earlier ones.
 */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal/pow10.h"
#include "codec/decimal/swar.h"
#include "codec/decimal/write.h"

/* (10·whole + last)·10^k; whole < 10^8 has 8 − missing digits; last is one more digit, or 0. */
struct usual {
	uint64_t whole;
	uint64_t last;
	int64_t missing;
	int64_t k;
};

static inline struct usual
shortest_f32(uint32_t bits)
{
	const uint64_t one = UINT64_C(1) << 36;
	const uint64_t c = (bits & 0x7fffff) | 0x800000;
	const struct decimal_unit *unit = &decimal_unit_f32[bits >> 23 & 0xff];
	const uint64_t number = (uint64_t)((unsigned __int128)unit->ten * (c << unit->shift) >> 64);
	const uint64_t half = (unit->ten >> (65 - unit->shift)) + (~c & 1); /* an even number's interval is closed */
	const uint64_t upper = number + half, whole = upper >> 36, after = (number & (one - 1)) * 10;
	const uint64_t more = (upper & (one - 1)) >= 2 * half;
	const uint64_t last = (after + one / 2 - 1 + (after >> 36 & 1)) >> 36; /* ties to even */

	return (struct usual){ whole, last & -more, (whole < 10000000) + (whole < 1000000), unit->k };
}

static inline int64_t
first_exponent(const struct usual *u)
{
	return u->k + 8 - u->missing;
}

/* How many digits there are without the zeros at the end; `values` are the digits of `whole`. */
static inline int64_t
count_digits(const struct usual *u, uint64_t values)
{
	const int64_t ended = -(int64_t)(u->last == 0); /* all ones or none */

	return 9 - u->missing + (ended & (decimal_count8(values) - 9));
}

/* dddd000 */
static inline size_t
layout_whole(struct usual u, char *out)
{
	const uint64_t values = decimal_split8((uint32_t)u.whole);

	decimal_store8(out, values >> 8 * u.missing | DECIMAL_EIGHT('0'));
	decimal_store8(out + 8, DECIMAL_EIGHT('0'));
	out[8 - u.missing] = (char)('0' + u.last);
	return (size_t)(first_exponent(&u) + 1);
}

/* d.ddde-dd */
static inline size_t
layout_scientific(struct usual u, char *out)
{
	const uint64_t values = decimal_split8((uint32_t)u.whole);
	const uint64_t text = values >> 8 * u.missing | DECIMAL_EIGHT('0');
	const int64_t count = count_digits(&u, values);

	decimal_store8(out, text);
	decimal_store8(out + 2, text >> 8);
	out[1] = '.';
	out[9 - u.missing] = (char)('0' + u.last);
	return (size_t)(decimal_write_exponent(out + count + (count > 1), (int)first_exponent(&u)) - out);
}

static inline size_t
layout_usual(struct usual u, char *out)
{
	const uint64_t values = decimal_split8((uint32_t)u.whole) >> 8 * u.missing;

	return decimal_layout_usual(values, u.last, first_exponent(&u), u.missing, out);
}

/*
 * The rules of write.c: from 10^16 on an exponent is shorter than the zeros, because a float has at most nine digits.
 * Not inlined, which would leave the usual layout fewer registers; its arguments are in registers.
 */
static __attribute__((noinline)) size_t
layout_other(uint64_t whole, uint64_t last, int64_t missing, int64_t k, char *out)
{
	const struct usual u = { whole, last, missing, k };

	return u.k >= 0 && first_exponent(&u) < 16 ? layout_whole(u, out) : layout_scientific(u, out);
}

size_t
decimal_write_f32(float value, char *out)
{
	struct usual u;
	uint32_t bits, negative;

	memcpy(&bits, &value, sizeof(bits));
	negative = bits >> 31;
	out[0] = '-';
	out += negative;
	if ((bits & 0x7fffff) == 0)
		return decimal_write_any_f32(bits & 0x7fffffff, out, negative);
	u = shortest_f32(bits);
	if (u.k < 0 && first_exponent(&u) >= -5)
		return layout_usual(u, out) + negative;
	if ((bits & 0x7f800000) == 0)
		return decimal_write_any_f32(bits & 0x7fffffff, out, negative);
	return layout_other(u.whole, u.last, u.missing, u.k, out) + negative;
}
