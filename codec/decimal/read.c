/* SPDX-License-Identifier: MIT */
/*
 * One pass checks the grammar and gathers the digits, eight at a time; round.h turns nearly every text into a number. A
 * text of more than 19 significant digits lies between two numbers of 19; only if these round differently, all digits
 * are looked at (slow.c).
 */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal/round.h"
#include "codec/decimal/swar.h"
#include "codec/decimal/text.h"

/* Exponents stop growing here: no number of digits can make up for them. */
#define EXPONENT_MAX INT64_C(100000000000000000)

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Appends the digits at `p` to *mantissa, modulo 2^64. Returns the byte after them. */
static inline const char *
gather_digits(const char *p, const char *limit, uint64_t *mantissa)
{
	uint64_t values, marks;
	unsigned count;

	for (; limit - p >= 8; p += 8) {
		values = decimal_values8(decimal_load8(p));
		marks = decimal_strangers8(values);
		if (marks != 0) {
			count = decimal_first8(marks);
			*mantissa = *mantissa * decimal_ten[count] + decimal_join(values, count);
			return p + count;
		}
		*mantissa = *mantissa * 100000000 + decimal_join8(values);
	}
	for (; p < limit && is_digit(*p); p++)
		*mantissa = *mantissa * 10 + (uint64_t)(*p - '0');
	return p;
}

/* [+-]digits, after the 'e'. */
static enum decimal_result
scan_exponent(const char *p, const char *limit, const char **end, int64_t *exponent)
{
	bool negative = p < limit && *p == '-';
	int64_t e = 0;

	if (p < limit && (*p == '-' || *p == '+'))
		p++;
	*end = p;
	if (p == limit)
		return DECIMAL_INCOMPLETE;
	if (!is_digit(*p))
		return DECIMAL_INVALID;
	for (; p < limit && is_digit(*p); p++) {
		if (e < EXPONENT_MAX)
			e = e * 10 + (*p - '0');
	}
	*end = p;
	*exponent = negative ? -e : e;
	return DECIMAL_OK;
}

/* More digits than fit: drops the leading zeros and, if there still are too many, the digits after the 19th. */
static void
truncate_digits(struct decimal_text *t, int64_t count)
{
	const char *p = t->digits;

	for (; p < t->digits_end && (*p == '0' || *p == '.'); p++)
		count -= *p == '0';
	if (count <= DECIMAL_MANTISSA_DIGITS)
		return;
	t->truncated = true;
	t->exponent += count - DECIMAL_MANTISSA_DIGITS;
	t->mantissa = 0;
	for (int n = 0; n < DECIMAL_MANTISSA_DIGITS; p++) {
		if (*p == '.')
			continue;
		t->mantissa = t->mantissa * 10 + (uint64_t)(*p - '0');
		n++;
	}
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?, and another byte. */
static enum decimal_result
scan_number(const char *p, const char *limit, const char **end, struct decimal_text *t)
{
	const char *fraction;
	enum decimal_result result = DECIMAL_OK;
	int64_t count, written = 0;

	*t = (struct decimal_text){ .negative = p < limit && *p == '-' };
	p += t->negative;
	t->digits = p;
	p = gather_digits(p, limit, &t->mantissa);
	count = p - t->digits;
	*end = count > 1 && *t->digits == '0' ? t->digits + 1 : p;
	if (*end != p || (count == 0 && p < limit))
		return DECIMAL_INVALID;
	if (p < limit && *p == '.') {
		fraction = p + 1;
		p = gather_digits(fraction, limit, &t->mantissa);
		*end = p;
		t->exponent = fraction - p;
		count += p - fraction;
		if (p == fraction && p < limit)
			return DECIMAL_INVALID;
	}
	t->digits_end = p;
	if (p < limit && (*p | 0x20) == 'e')
		result = scan_exponent(p + 1, limit, end, &written);
	if (*end == limit)
		return DECIMAL_INCOMPLETE;
	t->exponent += written;
	if (count > DECIMAL_MANTISSA_DIGITS)
		truncate_digits(t, count);
	return result;
}

/* The bits of the number of format `f` nearest to the text, without a sign. */
static uint64_t
round_text(const struct decimal_text *t, const struct decimal_format *f)
{
	const uint64_t one = UINT64_C(1) << f->fraction_bits;
	uint64_t bits = decimal_round(t->mantissa, t->exponent, f), field, half;
	int order;

	if (!t->truncated || decimal_round(t->mantissa + 1, t->exponent, f) == bits)
		return bits;
	/* The dropped digits decide between `bits` and the next number: on which side of their midpoint is the text? */
	field = bits >> f->fraction_bits;
	half = 2 * (bits & (one - 1)) + 1 + (field > 0 ? 2 * one : 0);
	order = decimal_compare(t, half, (int)(field > 0 ? field : 1) - f->exponent_bias - f->fraction_bits - 1);
	return bits + (order > 0 || (order == 0 && (bits & 1) != 0));
}

enum decimal_result
decimal_read(const char *p, const char *limit, const char **end, enum decimal_type type, void *value)
{
	const struct decimal_format *f = &decimal_formats[type];
	struct decimal_text t;
	uint64_t bits;
	const enum decimal_result result = scan_number(p, limit, end, &t);

	if (result != DECIMAL_OK)
		return result;
	bits = round_text(&t, f);
	if (bits == decimal_infinity(f))
		return DECIMAL_OVERFLOW;
	decimal_store(type, bits, t.negative, value);
	return DECIMAL_OK;
}
