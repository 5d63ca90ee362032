/* SPDX-License-Identifier: MIT */
#include "codec/json_list.h"

#include <assert.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/json_nesting.h"
#include "codec/json_write.h"

static_assert(DECIMAL_F32_BYTES <= DECIMAL_BYTES_MAX, "JSON_TENSOR_ROOM is too small");
static_assert(DECIMAL_F16_BYTES <= DECIMAL_BYTES_MAX, "JSON_TENSOR_ROOM is too small");
static_assert(DECIMAL_F64_BYTES <= DECIMAL_BYTES_MAX, "JSON_TENSOR_ROOM is too small");

void
json_list_init(
    struct json_list *l, const size_t *shape, unsigned rank, enum datatype datatype, const void *values, size_t stride)
{
	assert(datatype_is_textual(datatype));
	*l = (struct json_list){ values, datatype, stride, shape, json_nesting_depth(shape, rank), 1 };
	if (shape[l->depth - 1] == 0) {
		l->values = NULL;
		l->depth--;
	}
	for (unsigned i = 0; i < l->depth; i++)
		l->items *= shape[i];
}

/* How many lists begin before item `i`, which is as many as have ended before it but at the first and the last. */
static unsigned
list_brackets(const struct json_list *l, size_t i)
{
	unsigned n = 0;

	while (n < l->depth && i % l->extents[l->depth - 1 - n] == 0) {
		i /= l->extents[l->depth - 1 - n];
		n++;
	}
	return n;
}

static inline char *
list_repeat(char *out, char c, unsigned n)
{
	memset(out, c, n);
	return out + n;
}

static inline char *
list_value(const struct json_list *l, enum datatype datatype, size_t i, char *out)
{
	if (datatype == DATATYPE_FP32)
		return out + decimal_write_f32(((const float *)l->values)[i * l->stride], out);
	if (datatype == DATATYPE_FP64)
		return out + decimal_write_f64(((const double *)l->values)[i * l->stride], out);
	return out + decimal_write_f16(((const uint16_t *)l->values)[i * l->stride], out);
}

static char *
list_item(const struct json_list *l, size_t i, char *out)
{
	if (l->values != NULL)
		return list_value(l, l->datatype, i, out);
	*out++ = '[';
	*out++ = ']';
	return out;
}

/*
 * Writes items up to `stop` that all have one comma after them and no bracket. `datatype` is a constant where this is
 * inlined.
 */
static inline char *
list_run_of(const struct json_list *l, enum datatype datatype, size_t *next, size_t stop, char *out, const char *limit)
{
	size_t i = *next;

	for (; i < stop && (size_t)(limit - out) >= JSON_TENSOR_ROOM; i++) {
		out = list_value(l, datatype, i, out);
		*out++ = ',';
	}
	*next = i;
	return out;
}

/* The same of floats that lie side by side. Each bound on their text leaves room that the next turn uses. */
static char *
list_run_f32(const struct json_list *l, size_t *next, size_t stop, char *out, const char *limit)
{
	const float *values = l->values;
	size_t room, n;

	while (*next < stop && (room = (size_t)(limit - out)) >= JSON_TENSOR_ROOM) {
		n = room / (DECIMAL_F32_BYTES + 1);
		n = n < stop - *next ? n : stop - *next;
		out = decimal_write_list_f32(values + *next, n, out);
		*next += n;
	}
	return out;
}

static char *
list_run(const struct json_list *l, size_t *next, size_t stop, char *out, const char *limit)
{
	if (l->datatype == DATATYPE_FP32 && l->stride == 1)
		return list_run_f32(l, next, stop, out, limit);
	if (l->datatype == DATATYPE_FP32)
		return list_run_of(l, DATATYPE_FP32, next, stop, out, limit);
	if (l->datatype == DATATYPE_FP64)
		return list_run_of(l, DATATYPE_FP64, next, stop, out, limit);
	return list_run_of(l, DATATYPE_FP16, next, stop, out, limit);
}

size_t
json_list_read(const struct json_list *l, size_t *next, char *out, size_t size)
{
	const size_t row = l->depth > 0 ? l->extents[l->depth - 1] : 1;
	const char *start = out, *limit = out + size;
	unsigned brackets = *next < l->items ? list_brackets(l, *next) : 0;
	size_t row_end = (*next / row + 1) * row;

	while (*next < l->items && (size_t)(limit - out) >= JSON_TENSOR_ROOM) {
		out = list_repeat(out, '[', brackets);
		out = list_item(l, (*next)++, out);
		brackets = 0;
		if (*next == row_end) {
			brackets = list_brackets(l, *next);
			out = list_repeat(out, ']', brackets);
			row_end += row;
		}
		if (*next < l->items)
			*out++ = ',';
		if (l->values != NULL && brackets == 0)
			out = list_run(l, next, row_end - 1, out, limit);
	}
	return (size_t)(out - start);
}
