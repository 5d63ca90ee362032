/* SPDX-License-Identifier: MIT */
/* How messages show bytes that were sent, and what they advise. Private to codec/. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "codec/envelope.h"

/* Room for either, with its NUL. */
#define EXCERPT_BYTES 64

/* A byte: 'x', or "byte 0x1f". Returns `out`. */
static inline const char *
excerpt_byte(char c, char out[EXCERPT_BYTES])
{
	if (c > ' ' && c < 0x7f)
		snprintf(out, EXCERPT_BYTES, "'%c'", c);
	else
		snprintf(out, EXCERPT_BYTES, "byte 0x%02x", (unsigned)(unsigned char)c);
	return out;
}

/* A text, cut between two characters if it is long. Returns `out`. */
static inline const char *
excerpt_text(const char *text, size_t len, char out[EXCERPT_BYTES])
{
	size_t cut = len < EXCERPT_BYTES ? len : EXCERPT_BYTES - 4;

	while (cut < len && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	snprintf(out, EXCERPT_BYTES, "%.*s%s", (int)cut, text, cut < len ? "..." : "");
	return out;
}

/* What JSON writes instead of a text of another language, by its first byte: the rest may not be there yet. Or "". */
static inline const char *
json_hint(char c)
{
	switch (c) {
	case 'N':
		return " (JSON has no NaN, and writes null for None)";
	case 'I':
	case 'i':
		return " (JSON has no infinity)";
	case 'T':
		return " (JSON writes true)";
	case 'F':
		return " (JSON writes false)";
	case 'u':
		return " (JSON writes null for undefined)";
	case '\'':
		return " (JSON has strings in double quotes)";
	case '+':
		return " (JSON writes no + before a number)";
	case '.':
		return " (JSON has a digit before the point)";
	default:
		return "";
	}
}
