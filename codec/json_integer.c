/* SPDX-License-Identifier: MIT */
/*
 * Whole numbers without a double in between: 2^53 + 1 and 2^64 - 1 keep their last digit. The text is taken as digits
 * times a power of ten; the trailing zeros of the digits go into the power, which must then not be negative.
 */
#include "codec/json_integer.h"

#include "codec/json_number.h"

/* With a larger exponent, any digits that fit in a body make too large a number, or a fraction. */
#define EXPONENT_MAX ((int64_t)1 << 40)

/* The exponent text[0..len): digits, perhaps with a sign. */
static int64_t
exponent_parse(const char *text, size_t len)
{
	bool negative = len > 0 && text[0] == '-';
	int64_t value = 0;

	for (size_t i = 0; i < len; i++)
		if (json_is_digit(text[i]) && value < EXPONENT_MAX)
			value = value * 10 + (text[i] - '0');
	return negative ? -value : value;
}

/* Appends `zeros` zeros and then `digit` to the number. -1: it exceeds 64 bits. */
static int
digits_append(uint64_t *value, int64_t zeros, unsigned digit)
{
	if (*value == 0)
		zeros = 0;
	for (; zeros > 0; zeros--)
		if (__builtin_mul_overflow(*value, 10u, value))
			return -1;
	return __builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, digit, value) ? -1 : 0;
}

int
json_integer_parse(const char *text, size_t len, bool *negative, uint64_t *magnitude)
{
	uint64_t value = 0;
	int64_t zeros = 0; /* after the last other digit: 1200 is 12 and two zeros */
	int64_t power = 0;
	bool fraction = false;
	size_t i;

	for (i = 0; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
		if (json_is_digit(text[i]))
			power -= fraction;
		fraction = fraction || text[i] == '.';
		if (text[i] == '0')
			zeros++;
		else if (json_is_digit(text[i])) {
			if (digits_append(&value, zeros, (unsigned)(text[i] - '0')) < 0)
				return -1;
			zeros = 0;
		}
	}
	if (i < len)
		power += exponent_parse(text + i + 1, len - i - 1);
	power += zeros;
	*negative = len > 0 && text[0] == '-';
	*magnitude = value;
	if (value == 0)
		return 0;
	for (; power > 0; power--)
		if (__builtin_mul_overflow(*magnitude, 10u, magnitude))
			return -1;
	return power < 0 ? -1 : 0;
}
