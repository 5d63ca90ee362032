/* SPDX-License-Identifier: MIT */
/*
 * Writing a float, but for subnormals and powers of two, which go to write.c. The usual one has a digit behind
 * the point and none further than 13 places behind it; the others differ from it in their layout alone.
 *
 * The digits are found in a third of Schubfach's steps: one product gives the number in units of 10^(k+1), 10^k <= 2^q
 * < 10^(k+1), with 36 bits after the point. Half the interval that reads back as the same float is added to it. When
 * that leaves it less than a whole interval above a whole, then that whole lies inside and ends the digits; else the
 * shortest has one digit more. Either way the whole is the same, so that its eight digits are made while it is not yet
 * known. The constants are good for every float: tests/verify_floats.cc tries them all. (There are too many doubles for
 * that.)
 *
 * And then numbers come in no order, so whatever depends on a number's sign, its count of digits or its size is
 * computed, not branched upon; zeros at the end are counted, not divided off; bytes are stored eight at a time, the
 * later over the earlier.
 */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal/pow10.h"
#include "codec/decimal/swar.h"
#include "codec/decimal/write.h"

/* (10·whole + last)·10^k; whole < 10^8 has 8 − missing digits, last is 0 or the last digit of more than it. */
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

/* How many digits there are without the zeros at the end; `values` are those of `whole`. */
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
 * The same rules as in write.c: from 10^16 on an exponent is shorter than the zeros, for a float has at most
 * nine digits. Not in line with the usual layout, which would have fewer registers then; and called with its parts in
 * registers.
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
