/* SPDX-License-Identifier: MIT */
/*
 * What the parts of writing share: write.c takes any number, write_f32.c a float, block.h many.
 *
 */
#ifndef CODEC_DECIMAL_WRITE_H
#define CODEC_DECIMAL_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "codec/decimal/swar.h"

/*
 * Writes any finite float, by its bits without the sign. Returns the text's length plus `before`, the bytes before
 * `out`.
 */
size_t decimal_write_any_f32(uint32_t bits, char *out, size_t before);

/*
 * Writes e5, e-45 or e-310, of up to three digits, without a branch on how many. It may use 5 bytes whatever the
 * length. Returns what is after it.
 */
static inline char *
decimal_write_exponent(char *p, int exponent)
{
	const int negative = exponent < 0, e = negative ? -exponent : exponent;
	const int hundreds = e * 41 >> 12, below = e - hundreds * 100, tens = below * 103 >> 10;
	const int zeros = (e < 100) + (e < 10); /* in front */
	const int text = (hundreds | tens << 8 | (below - tens * 10) << 16 | 0x303030) >> 8 * zeros;

	p[0] = 'e';
	p[1] = '-';
	p += 1 + negative;
	p[0] = (char)text;
	p[1] = (char)(text >> 8);
	p[2] = (char)(text >> 16);
	return p + 3 - zeros;
}

/*
 * d.ddd, ddd.ddd or 0.00ddd, of a float's digits: `values`, eight less those that are `missing`, the first lowest and
 * zeros after them; then `last`, the digit after the eighth less the missing, or 0. The first digit's exponent is -5 to
 * 7. What is stored behind the point is, for a number below 1, the same bytes at the same place once more. Returns the
 * text's length.
 */
static inline size_t
decimal_layout_usual(uint64_t values, uint64_t last, int64_t exponent, int64_t missing, char *out)
{
	/*
	 * cppcheck-suppress shiftTooManyBitsSigned; arithmetic with gcc and clang, and a comparison costs a nanosecond
	 * more
	 */
	const int64_t small = exponent >> 63; /* all ones or none */
	const int64_t zeros = -exponent & small, before = exponent & ~small;
	const uint64_t text = values | DECIMAL_EIGHT('0');
	const int64_t ended = -(int64_t)(last == 0), all = 9 - missing;
	const int64_t count = all + (ended & (decimal_count8(values) - all)); /* without the zeros at the end */
	char *behind = out + zeros + before + 2;

	memcpy(out, "0.000000", 8);
	decimal_store8(out + zeros - small, text);
	out[before + 1] = '.';
	decimal_store8(behind, text >> 8 >> 8 * before);
	behind[7 - before - missing] = (char)('0' + last);
	return (size_t)(count <= exponent + 1 ? exponent + 1 : zeros + count + 1);
}

#endif
