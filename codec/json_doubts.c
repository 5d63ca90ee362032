/* SPDX-License-Identifier: MIT */
#include "codec/json_doubts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/json_number.h"

/* A double of this size or more overflows when it is rounded to nearest, ties to even. */
#define FP16_OVERFLOWS 65520.0
#define FP32_OVERFLOWS 0x1.ffffffp127

#define FIRST_CORRECTED ((size_t)16)

/* Values that are narrowed at once: as many as fit the registers. */
#define BLOCK ((size_t)16)

/* The double's nearest float16, as bits. */
static uint16_t
half_of(double value)
{
	const double size = fabs(value), smallest_normal = 0x1p-14;
	const uint16_t sign = signbit(value) ? 0x8000 : 0;
	double sum;
	uint64_t bits;

	if (!(size < FP16_OVERFLOWS))
		return isnan(size) ? 0x7e00 : sign | 0x7c00;
	if (size < smallest_normal) {
		/* A subnormal is a multiple of 2^-24, the last place of a double from 2^28 on: the sum is rounded. */
		sum = size + 0x1p28;
		memcpy(&bits, &sum, sizeof(bits));
		return (uint16_t)(sign | (bits & 0x7ff));
	}
	memcpy(&bits, &size, sizeof(bits));
	bits += 0x1ffffffffff + (bits >> 42 & 1);
	return (uint16_t)(sign | ((bits >> 42) - ((1023 - 15) << 10)));
}

static struct json_doubts *
doubts_of(struct json_values *v)
{
	if (v->doubts == NULL)
		v->doubts = calloc(1, sizeof(*v->doubts));
	return v->doubts;
}

static bool
add_corrected(struct json_values *v, struct json_corrected one)
{
	struct json_doubts *d = doubts_of(v);
	struct json_corrected *more;
	size_t capacity;

	if (d == NULL)
		return false;
	if (d->count == d->capacity) {
		capacity = d->capacity == 0 ? FIRST_CORRECTED : 2 * d->capacity;
		if (!budget_take(v->memory, (capacity - d->capacity) * sizeof(*more)))
			return false;
		more = realloc(d->corrected, capacity * sizeof(*more));
		if (more == NULL) {
			budget_give(v->memory, (capacity - d->capacity) * sizeof(*more));
			return false;
		}
		d->corrected = more;
		d->capacity = capacity;
	}
	d->corrected[d->count++] = one;
	return true;
}

/* A midpoint between two floats has 25 bits of a double's 53, one between two float16 fewer: the lower 28 are 0. */
static bool
may_be_midpoint(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits & 0xfffffff) == 0 && value != 0;
}

enum decimal_result
json_doubts_read(struct json_values *v, size_t index, const char *floor, const char *p, const char *limit,
    const char **end, double *out)
{
	struct json_corrected one = { .index = index };
	enum decimal_result result = decimal_long_read(floor, p, limit, end, DECIMAL_F64, out), result32, result16;
	const char *unused;

	if (result != DECIMAL_OK || !may_be_midpoint(*out))
		return result;
	result32 = decimal_long_read(floor, p, limit, &unused, DECIMAL_F32, &one.fp32);
	result16 = decimal_long_read(floor, p, limit, &unused, DECIMAL_F16, &one.fp16);
	if (result32 == DECIMAL_MEMORY || result16 == DECIMAL_MEMORY)
		return DECIMAL_MEMORY;
	if (result32 == DECIMAL_OVERFLOW)
		one.fp32 = *out < 0 ? -HUGE_VALF : HUGE_VALF;
	if (result16 == DECIMAL_OVERFLOW)
		one.fp16 = *out < 0 ? 0xfc00 : 0x7c00;
	/* The value is not 0, so equal values have equal bits; what underflows keeps the sign of the text. */
	if ((float)*out == one.fp32 && half_of(*out) == one.fp16)
		return DECIMAL_OK;
	return add_corrected(v, one) ? DECIMAL_OK : DECIMAL_MEMORY;
}

static int
compare_indices(const void *a, const void *b)
{
	const struct json_corrected *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static bool
overflows(const struct json_doubts *d, enum datatype datatype, size_t index, double value)
{
	const struct json_corrected key = { .index = index };
	const struct json_corrected *one =
	    d->count > 0 ? bsearch(&key, d->corrected, d->count, sizeof(key), compare_indices) : NULL;

	if (!isfinite(value))
		return false; /* it came as a word; a number that overflows a double was refused */
	if (datatype == DATATYPE_FP16)
		return one != NULL ? (one->fp16 & 0x7fff) == 0x7c00 : fabs(value) >= FP16_OVERFLOWS;
	return one != NULL ? isinf(one->fp32) : fabs(value) >= FP32_OVERFLOWS;
}

/* Whether a value may begin with `c`: a number, NaN, Infinity or -Infinity. */
static bool
starts_value(char c)
{
	return json_starts_number(c) || c == 'N' || c == 'I';
}

/* The byte after the value at `p`, which is followed by another. */
static const char *
skip_value(const char *p)
{
	enum json_number number = JSON_NUMBER_START, next;

	for (; (next = json_number_next(number, *p)) != JSON_NUMBER_STOP; p++)
		number = next;
	while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
		p++;
	return p;
}

/* Notes the number that has `before` other values before it in the text. */
static void
note_text(struct json_unfit *u, size_t before, const char *text, uint64_t at)
{
	const char *p = text, *end;

	for (;; p = end) {
		while (!starts_value(*p))
			p++;
		end = skip_value(p);
		if (before-- == 0)
			break;
	}
	*u = (struct json_unfit){ .found = true, .at = at + (uint64_t)(p - text) };
	excerpt_text(p, (size_t)(end - p), u->text);
}

/*
 * Whether the size of any value is `limit` or more. The bits of doubles without their signs are ordered as the doubles
 * are; the sign of an integer difference tells which is larger, and signs are collected without a branch, several
 * values at once.
 */
static bool
any_from(const double *values, size_t count, double limit)
{
	int64_t below, bits, signs = 0;

	memcpy(&below, &limit, sizeof(below));
	for (size_t i = 0; i < count; i++) {
		memcpy(&bits, &values[i], sizeof(bits));
		signs |= below - 1 - (bits & INT64_MAX);
	}
	return signs < 0;
}

int
json_doubts_note(struct json_values *v, size_t from, const char *text, uint64_t at, struct err *e)
{
	static const enum datatype narrow[] = { DATATYPE_FP16, DATATYPE_FP32 };
	const double *values = (const double *)(const void *)v->bytes;
	struct json_doubts *d = v->doubts;

	if (v->count == from)
		return 0; /* `values` may be NULL */
	/* What fits float16 fits float. */
	if (!any_from(values + from, v->count - from,
		d != NULL && d->unfit[DATATYPE_FP16].found ? FP32_OVERFLOWS : FP16_OVERFLOWS))
		return 0;
	d = doubts_of(v);
	if (d == NULL)
		return err_fail_memory(e);
	for (size_t k = 0; k < sizeof(narrow) / sizeof(narrow[0]); k++)
		for (size_t i = from; i < v->count && !d->unfit[narrow[k]].found; i++)
			if (overflows(d, narrow[k], i, values[i]))
				note_text(&d->unfit[narrow[k]], i - from, text, at);
	return 0;
}

const struct json_unfit *
json_doubts_unfit(const struct json_doubts *d, enum datatype datatype)
{
	return d != NULL && d->unfit[datatype].found ? &d->unfit[datatype] : NULL;
}

/* Narrows BLOCK doubles: all are read, into registers, before any is written. */
static ALWAYS_INLINE void
narrow_block(const unsigned char *in, unsigned char *out)
{
	double from[BLOCK];
	float to[BLOCK];

	memcpy(from, in, sizeof(from));
	for (size_t i = 0; i < BLOCK; i++)
		to[i] = (float)from[i];
	memcpy(out, to, sizeof(to));
}

static void
narrow_to_floats(unsigned char *values, size_t count)
{
	size_t at = 0;
	double from;
	float to;

	for (; count - at >= BLOCK; at += BLOCK)
		narrow_block(values + at * sizeof(from), values + at * sizeof(to));
	for (; at < count; at++) {
		memcpy(&from, values + at * sizeof(from), sizeof(from));
		to = (float)from;
		memcpy(values + at * sizeof(to), &to, sizeof(to));
	}
}

static void
narrow_to_halves(unsigned char *values, size_t count)
{
	double from;
	uint16_t to;

	for (size_t i = 0; i < count; i++) {
		memcpy(&from, values + i * sizeof(from), sizeof(from));
		to = half_of(from);
		memcpy(values + i * sizeof(to), &to, sizeof(to));
	}
}

void
json_doubts_settle(struct json_values *v, enum datatype datatype)
{
	const struct json_doubts *d = v->doubts;
	const size_t corrected = d != NULL && datatype != DATATYPE_FP64 ? d->count : 0;

	if (datatype == DATATYPE_FP32)
		narrow_to_floats(v->bytes, v->count);
	else if (datatype == DATATYPE_FP16)
		narrow_to_halves(v->bytes, v->count);
	for (size_t i = 0; i < corrected; i++)
		if (datatype == DATATYPE_FP32)
			((float *)(void *)v->bytes)[d->corrected[i].index] = d->corrected[i].fp32;
		else
			((uint16_t *)(void *)v->bytes)[d->corrected[i].index] = d->corrected[i].fp16;
	json_doubts_free(v->doubts);
	v->doubts = NULL;
	v->open = false;
	v->capacity *= sizeof(double) / datatype_size(datatype);
	v->datatype = datatype;
	json_values_trim(v);
}

void
json_doubts_free(struct json_doubts *d)
{
	if (d == NULL)
		return;
	free(d->corrected);
	free(d);
}
