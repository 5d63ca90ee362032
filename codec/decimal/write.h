/* SPDX-License-Identifier: MIT */
/* Shared by the parts of writing: any number (write.c), a float (write_f32.c), many floats (block.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "codec/decimal/swar.h"

/* Writes any finite float, by its bits without the sign. Returns the text's length + `before`, the bytes before it. */
size_t decimal_write_any_f32(uint32_t bits, char *out, size_t before);

/* Writes an exponent, e5 or e-310, without a branch. May use 5 bytes for a shorter one. Returns the byte after it. */
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
 * d.ddd, ddd.ddd or 0.00ddd. A float's digits are `values`, 8 − missing of them, the first lowest and zeros after them;
 * then `last`, one more digit or 0. The first digit's exponent is -5 to 7. For a number below 1, what is stored behind
 * the point are the same bytes at the same place again. Returns the text's length.
 */
static inline size_t
decimal_layout_usual(uint64_t values, uint64_t last, int64_t exponent, int64_t missing, char *out)
{
	/* cppcheck-suppress shiftTooManyBitsSigned; arithmetic in gcc and clang, and faster than a comparison */
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
