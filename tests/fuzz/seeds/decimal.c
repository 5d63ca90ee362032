/* SPDX-License-Identifier: MIT */
/* Seeds of the number reader: texts by hand, and exact midpoints between neighbours, which need all their digits. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"

#define TEXT_SIZE 2048

/* Adds a text after the byte that chooses its cut and what is before it (fuzz_decimal.c). */
static void PRINTF_LIKE(2, 3) add_text(struct seeds *s, const char *format, ...)
{
	char bytes[TEXT_SIZE];
	va_list args;

	bytes[0] = (char)(s->count % 48);
	va_start(args, format);
	vsnprintf(bytes + 1, sizeof(bytes) - 1, format, args);
	va_end(args);
	seeds_add(s, bytes, 1 + strlen(bytes + 1));
}

/*
 * The number and its two neighbours' sides: the text itself, one with a 1 far behind it, and one that is a little less.
 */
static void
add_around(struct seeds *s, long double exact)
{
	char text[TEXT_SIZE / 2], *mark, *last;

	snprintf(text, sizeof(text), "%.800Le", exact);
	mark = strchr(text, 'e');
	if (mark == NULL)
		return;
	for (last = mark; last[-1] == '0' && last[-2] != '.'; last--)
		;
	add_text(s, "%.*s%s,", (int)(last - text), text, mark);
	add_text(s, "%.*s0000000000000000000001%s,", (int)(last - text), text, mark);
	last[-1]--;
	if (last[-1] >= '0')
		add_text(s, "%.*s9999999999999999999999%s,", (int)(last - text), text, mark);
}

/* The midpoints of some halves, floats and doubles and the next ones: a long double holds each. */
static void
add_midpoints(struct seeds *s)
{
	for (int e = -24; e < 16; e += 5) {
		add_around(s, ldexpl(1.5L, e));
		add_around(s, ldexpl(1.0L + 0x1.8p-10L, e));
	}
	for (int e = -149; e < 128; e += 23) {
		add_around(s, ldexpl(1.5L, e));
		add_around(s, ldexpl(1.0L + FLT_EPSILON * 1.5L, e));
	}
	for (int e = -1074; e < 1024; e += 131) {
		add_around(s, ldexpl(1.5L, e));
		add_around(s, ldexpl(1.0L + DBL_EPSILON * 1.5L, e));
	}
	add_around(s, (long double)FLT_MAX + ldexpl(1.0L, 103));
	add_around(s, (long double)DBL_MAX + ldexpl(1.0L, 970));
}

/*
 * Decimals of 16 characters next to a midpoint between floats, which come out wrong by way of a double. (Shorter ones
 * without an exponent never do: none is near enough on the side that the tie does not go to.)
 */
static void
add_near_midpoints(struct seeds *s)
{
	const unsigned wanted = s->count + 24;
	char text[32];

	for (float f = 0.0625F; f < 1.0F && s->count < wanted; f = nextafterf(f, INFINITY)) {
		snprintf(text, sizeof(text), "%.14f", ((double)f + (double)nextafterf(f, INFINITY)) / 2);
		if ((float)strtod(text, NULL) != strtof(text, NULL))
			add_text(s, "%s,", text);
	}
}

/* The bits of many floats, to be written at once: of every exponent, and with every kind of last digits. */
static void
add_floats(struct seeds *s)
{
	uint32_t bits[1 + 64], state = 1;

	for (int i = 0; i < 8; i++) {
		for (size_t k = 0; k < COUNT(bits); k++) {
			state = state * 1664525 + 1013904223;
			bits[k] = i % 2 == 0 ? state : 0x3f000000 + (state >> 7);
		}
		/* The byte before them is the target's. */
		seeds_add(s, (const char *)bits + 3, sizeof(bits) - 3);
	}
}

void
seeds_add_decimal(struct seeds *s)
{
	static const char *const texts[] = { "0,", "-0,", "-0.0e0]", "1 ", "12345678,", "0.1,", "1.5e3,",
		"3.4028235e38,", "1e39,", "1.7976931348623157e308,", "1e309,", "5e-324,", "2.4703282292062327e-324,",
		"1e-46,", "1.1754944e-38,", "2.2250738585072011e-308,", "16777217,", "9007199254740993,",
		"18446744073709551616,", "1e23,", "8.41e21,", "1e99999999999999999999,", "1e-99999999999999999999,",
		"0e99999,", "1E+05,", "0.00000000000000000000001e22,", "1234567890123456789012345678901234567890,",
		"0.12345678901234567890123456789012345678,", "-12345678.87654321e-8,", "", "-", "-,", "+1,", ".5,",
		"1.,", "1.e5,", "1e,", "1e+,", "01,", "-01,", "00,", "1.5.5,", "0x1f,", "1_000,", "NaN", "Infinity",
		"-Infinity", "1e5.5,", "--1,", "1-", "1e5e5", "\xef\xbc\x91", "99999999", "1.00000000",
		"1.0000000:", "1.0000000/", "65504,", "65519.99,", "65520,", "5.96e-8,", "2.98e-8,", "2049,",
		"6.1035156e-5,", "0.33325195," };
	static const int lengths[] = { 19, 20, 40, 800, 1500 };

	for (size_t i = 0; i < COUNT(texts); i++)
		add_text(s, "%s", texts[i]);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		add_text(s, "1%0*de-%d,", lengths[i], 7, lengths[i]);
		add_text(s, "0.%0*de%d]", lengths[i], 7, lengths[i]);
	}
	add_midpoints(s);
	add_near_midpoints(s);
	add_floats(s);
}
