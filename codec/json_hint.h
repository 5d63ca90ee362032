/* SPDX-License-Identifier: MIT */
/* The end of a message about what other languages write and JSON does not. Private to codec/. */
#ifndef CODEC_JSON_HINT_H
#define CODEC_JSON_HINT_H

/* By the first byte alone, because the rest may not be there yet. */
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

#endif
