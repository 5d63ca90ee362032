/* SPDX-License-Identifier: MIT */
/* The decoder's hot path. */
#include "codec/json_run.h"

#include <string.h>

#include "base/compiler.h"
#include "codec/decimal/fast.h"
#include "codec/json_doubts.h"

/* A number as a boolean: 1 or 0, nearly always as one digit, but in any spelling. Any other number overflows. */
static inline enum decimal_result
read_bool(const char *floor, const char *p, const char *limit, const char **end, unsigned char *out)
{
	enum decimal_result result;
	float value;

	if (limit - p >= 2 && (*p | 1) == '1' && (p[1] == ',' || p[1] == ']')) {
		*out = *p == '1';
		*end = p + 1;
		return DECIMAL_OK;
	}
	result = decimal_fast_read(floor, p, limit, end, DECIMAL_F32, &value);
	if (result != DECIMAL_OK)
		return result;
	*out = value == 1;
	return value == 1 || value == 0 ? DECIMAL_OK : DECIMAL_OVERFLOW;
}

/* `datatype` is a constant wherever this is inlined. */
static inline enum decimal_result
read_value(
    enum datatype datatype, const char *floor, const char *p, const char *limit, const char **end, unsigned char *out)
{
	if (datatype == DATATYPE_BOOL)
		return read_bool(floor, p, limit, end, out);
	return decimal_fast_read(floor, p, limit, end,
	    datatype == DATATYPE_FP32     ? DECIMAL_F32 :
		datatype == DATATYPE_FP64 ? DECIMAL_F64 :
					    DECIMAL_F16,
	    out);
}

/* Reads value `index`, whose datatype is not known yet. */
static ALWAYS_INLINE enum decimal_result
read_open(struct json_array *a, size_t index, const char *floor, const char *p, const char *limit, const char **end,
    unsigned char *out)
{
	const char *after = p;
	enum decimal_result result;
	double wide;

	if (decimal_fast_read_open(floor, p, limit, end, (double *)(void *)out))
		return DECIMAL_OK;
	/* `after` is of this call alone, so that the caller's `end` can stay in a register. */
	result = json_doubts_read(&a->values, index, floor, p, limit, &after, &wide);
	*end = after;
	if (result == DECIMAL_OK)
		memcpy(out, &wide, sizeof(wide));
	return result;
}

/* json_run_read for constants `datatype` and `open`. The loop waits for nothing but the next number's place. */
static ALWAYS_INLINE enum decimal_result
run(struct json_array *a, enum datatype datatype, bool open, size_t room, struct json_input *in, const char **end)
{
	const size_t size = datatype_size(datatype);
	unsigned char *start = a->values.bytes + a->values.count * size;
	unsigned char *out = start, *stop = start + room * size;
	const char *p = in->p, *limit = in->end, *after = p;
	enum decimal_result r;
	size_t values;
	bool comma = true;

	while (
	    (r = open ? read_open(a, a->values.count + (size_t)(out - start) / size, in->start, p, limit, &after, out) :
			read_value(datatype, in->start, p, limit, &after, out)) == DECIMAL_OK) {
		out += size;
		p = after;
		/* The byte after a number that was read is always there. */
		comma = *p == ',';
		if (!comma)
			break;
		/* A branch, which is predicted, for every space: adding 0 or 1 to `p` would delay the next number. */
		for (p++; p < limit && *p == ' '; p++)
			;
		if (out == stop)
			break;
	}
	values = (size_t)(out - start) / size;
	a->values.count += values;
	json_nesting_add(&a->nesting, values);
	a->state = comma ? JSON_ARRAY_ELEMENT : JSON_ARRAY_COMMA;
	in->p = p;
	*end = after;
	/* What is not a number, or not there yet, is left to the caller. */
	return r != DECIMAL_OK && (p == limit || !json_starts_number(*p)) ? DECIMAL_OK : r;
}

enum decimal_result
json_run_read(struct json_array *a, size_t room, struct json_input *in, const char **end)
{
	const enum datatype datatype = a->values.datatype;

	if (a->values.open)
		return run(a, DATATYPE_FP64, true, room, in, end);
	switch (datatype) {
	case DATATYPE_FP32:
		return run(a, DATATYPE_FP32, false, room, in, end);
	case DATATYPE_FP64:
		return run(a, DATATYPE_FP64, false, room, in, end);
	case DATATYPE_BOOL:
		return run(a, DATATYPE_BOOL, false, room, in, end);
	default:
		return run(a, DATATYPE_FP16, false, room, in, end);
	}
}
