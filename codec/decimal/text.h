/* SPDX-License-Identifier: MIT */
/* A decimal number as it was parsed, before it is rounded to a type. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The significant digits that always fit `mantissa`. */
#define DECIMAL_MANTISSA_DIGITS 19

struct decimal_text {
	uint64_t mantissa; /* the first DECIMAL_MANTISSA_DIGITS significant digits, or all if there are fewer */
	int64_t exponent;  /* mantissa·10^exponent is the number, or a little less if `truncated` */
	const char *digits;
	const char *digits_end; /* [digits, digits_end): all digits, with the point and leading zeros */
	bool negative;
	bool truncated; /* there are more significant digits than `mantissa` holds */
};

/*
 * The sign of |text| − half·2^exponent, exactly. Only for a truncated text within a relative distance of 10^-18 of that
 * number, a midpoint between two doubles, floats or float16: that bounds the memory, which is on the stack.
 */
int decimal_compare(const struct decimal_text *text, uint64_t half, int exponent);
