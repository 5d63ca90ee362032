/* SPDX-License-Identifier: MIT */
/* The grammar of a JSON number (RFC 8259, section 6) as a state machine, fed in pieces. Private to codec/. */
#pragma once

#include <stdbool.h>

enum json_number {
	JSON_NUMBER_START, /* nothing yet */
	JSON_NUMBER_MINUS,
	JSON_NUMBER_ZERO, /* a leading 0: no digit may follow */
	JSON_NUMBER_WHOLE,
	JSON_NUMBER_POINT,
	JSON_NUMBER_FRACTION,
	JSON_NUMBER_E,
	JSON_NUMBER_SIGN,
	JSON_NUMBER_EXPONENT,
	JSON_NUMBER_STOP /* the byte does not belong to the number */
};

static inline bool
json_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
json_starts_number(char c)
{
	return c == '-' || json_is_digit(c);
}

/* The state after a digit. */
static inline enum json_number
json_number_digit(enum json_number n, char c)
{
	static const enum json_number after[] = {
		[JSON_NUMBER_START] = JSON_NUMBER_WHOLE,
		[JSON_NUMBER_MINUS] = JSON_NUMBER_WHOLE,
		[JSON_NUMBER_ZERO] = JSON_NUMBER_STOP,
		[JSON_NUMBER_WHOLE] = JSON_NUMBER_WHOLE,
		[JSON_NUMBER_POINT] = JSON_NUMBER_FRACTION,
		[JSON_NUMBER_FRACTION] = JSON_NUMBER_FRACTION,
		[JSON_NUMBER_E] = JSON_NUMBER_EXPONENT,
		[JSON_NUMBER_SIGN] = JSON_NUMBER_EXPONENT,
		[JSON_NUMBER_EXPONENT] = JSON_NUMBER_EXPONENT,
		[JSON_NUMBER_STOP] = JSON_NUMBER_STOP,
	};

	return c == '0' && n <= JSON_NUMBER_MINUS ? JSON_NUMBER_ZERO : after[n];
}

/* The state after `c`. */
static inline enum json_number
json_number_next(enum json_number n, char c)
{
	bool whole = n == JSON_NUMBER_ZERO || n == JSON_NUMBER_WHOLE;

	if (json_is_digit(c))
		return json_number_digit(n, c);
	if (c == '-' && n == JSON_NUMBER_START)
		return JSON_NUMBER_MINUS;
	if (c == '.' && whole)
		return JSON_NUMBER_POINT;
	if ((c == 'e' || c == 'E') && (whole || n == JSON_NUMBER_FRACTION))
		return JSON_NUMBER_E;
	if ((c == '+' || c == '-') && n == JSON_NUMBER_E)
		return JSON_NUMBER_SIGN;
	return JSON_NUMBER_STOP;
}

/* Moves `n` over the bytes of [p, end) that belong to the number. Returns the first that does not, or `end`. */
static inline const char *
json_number_skip(enum json_number *n, const char *p, const char *end)
{
	enum json_number next;

	while (p < end && (next = json_number_next(*n, *p)) != JSON_NUMBER_STOP) {
		*n = next;
		p++;
	}
	return p;
}

/* Whether a number may end in this state. */
static inline bool
json_number_complete(enum json_number n)
{
	return n == JSON_NUMBER_ZERO || n == JSON_NUMBER_WHOLE || n == JSON_NUMBER_FRACTION ||
	    n == JSON_NUMBER_EXPONENT;
}

/* Whether a number may end before `c`, which does not belong to it: 01 is one wrong number, not two numbers. */
static inline bool
json_number_ends(enum json_number n, char c)
{
	return json_number_complete(n) && !json_is_digit(c);
}
