/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
fuzz_check(bool holds, const char *format, ...)
{
	va_list args;

	if (holds)
		return;
	va_start(args, format);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

char *
fuzz_copy(const void *bytes, size_t len)
{
	char *copy = malloc(len);

	fuzz_check(copy != NULL || len == 0, "no memory");
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *
fuzz_text(const void *bytes, size_t len)
{
	char *copy = malloc(len + 1);

	fuzz_check(copy != NULL, "no memory");
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

double
fuzz_half(uint16_t bits)
{
	const int exponent = bits >> 10 & 0x1f;
	const double fraction = bits & 0x3ff;
	double magnitude;

	if (exponent == 31)
		magnitude = fraction == 0 ? INFINITY : NAN;
	else
		magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
	return bits >> 15 != 0 ? -magnitude : magnitude;
}

/* The length of the piece at `at` of an input of `len` bytes; at < len. */
static size_t
piece_length(const struct fuzz_cuts *cuts, size_t at, size_t len)
{
	size_t want = at == 0 && cuts->first > 0 ? cuts->first : cuts->step;

	return want == 0 || want > len - at ? len - at : want;
}

int
fuzz_feed(fuzz_feeder *feed, void *decoder, const char *bytes, size_t len, const struct fuzz_cuts *cuts, struct err *e)
{
	size_t piece;
	char *copy;
	int result = 0;

	for (size_t at = 0; at < len && result == 0; at += piece) {
		piece = piece_length(cuts, at, len);
		copy = fuzz_copy(bytes + at, piece);
		result = feed(decoder, copy, piece, e);
		free(copy);
	}
	return result;
}
