/* What the two halves of writing share: decimal_write.c takes any number, decimal_write_f32.c floats. Private to the decimal codec. */
#ifndef CODEC_DECIMAL_WRITE_H
#define CODEC_DECIMAL_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* Writes any finite float, by its bits without the sign. Returns the text's length plus `before`, the bytes before `out`. */
size_t decimal_write_any_f32(uint32_t bits, char *out, size_t before);

/*
 * Writes e5, e-45 or e-310, of up to three digits, without a branch on how many. It may use 5 bytes whatever the length. Returns what
 * is after it.
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

#endif
