/* SPDX-License-Identifier: MIT */
#include "codec/json_non_finite.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Values that are looked at together, without a branch. */
#define AT_ONCE ((size_t)32)

#define HALF_EXPONENT 0x7c00u
#define HALF_MAGNITUDE 0x7fffu

static bool
all_finite(enum datatype datatype, const void *values, size_t from, size_t to)
{
	unsigned bad = 0;

	assert(datatype_is_textual(datatype));
	if (datatype == DATATYPE_FP32)
		for (size_t i = from; i < to; i++)
			bad |= !isfinite(((const float *)values)[i]);
	else if (datatype == DATATYPE_FP64)
		for (size_t i = from; i < to; i++)
			bad |= !isfinite(((const double *)values)[i]);
	else
		for (size_t i = from; i < to; i++)
			bad |= (((const uint16_t *)values)[i] & HALF_EXPONENT) == HALF_EXPONENT;
	return bad == 0;
}

size_t
json_non_finite_find(enum datatype datatype, const void *values, size_t from, size_t to)
{
	while (to - from >= AT_ONCE && all_finite(datatype, values, from, from + AT_ONCE))
		from += AT_ONCE;
	while (from < to && all_finite(datatype, values, from, from + 1))
		from++;
	return from;
}

/* The value as a double, which has the same name. */
static double
widen(enum datatype datatype, const void *values, size_t i)
{
	uint16_t bits;

	if (datatype == DATATYPE_FP32)
		return (double)((const float *)values)[i];
	if (datatype == DATATYPE_FP64)
		return ((const double *)values)[i];
	bits = ((const uint16_t *)values)[i];
	return (bits & HALF_MAGNITUDE) != HALF_EXPONENT ? NAN : bits > HALF_MAGNITUDE ? -INFINITY : INFINITY;
}

size_t
json_non_finite_write(enum datatype datatype, const void *values, size_t i, char *out)
{
	const double value = widen(datatype, values, i);
	const char *name = isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
	const size_t len = strlen(name);

	assert(!isfinite(value));
	memcpy(out, name, len);
	return len;
}
