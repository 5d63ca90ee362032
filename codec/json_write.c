/* SPDX-License-Identifier: MIT */
#include "codec/json_write.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "codec/json_nesting.h"
#include "codec/json_non_finite.h"

#define ITEMS_AT_ONCE ((size_t)64)

/* Where the text of values is shorter, a run of them has several stops. */
#define LEAST_USUAL_BYTES ((size_t)8)

static_assert(JSON_NON_FINITE_BYTES <= DECIMAL_F16_TEXT, "json_tensor_bytes_max is too small");
static_assert(
    DECIMAL_F16_BYTES <= DECIMAL_F64_BYTES && DECIMAL_F32_BYTES <= DECIMAL_F64_BYTES, "JSON_TENSOR_ROOM is too small");

/*
 * Nested lists as text. A list is a row of items, values or (where an extent is 0) empty lists, with brackets between
 * them that follow from an item's index alone. So the index is all the state that writing has.
 */
struct list {
	const void *values; /* NULL: the items are empty lists */
	enum datatype datatype;
	size_t stride; /* from one value to the next, in values: 1, or 0 to repeat the first */
	const size_t *extents;
	unsigned depth; /* levels of brackets around an item; 0 for an empty list alone */
	size_t items;
	bool any; /* values need not be finite */
};

/* The list of this shape (rank >= 1), which must outlive it, as `values` must. */
static void
list_init(struct list *l, const size_t *shape, unsigned rank, enum datatype datatype, const void *values, size_t stride)
{
	assert(datatype_is_textual(datatype));
	*l = (struct list){ values, datatype, stride, shape, json_nesting_depth(shape, rank), 1, false };
	if (shape[l->depth - 1] == 0) {
		l->values = NULL;
		l->depth--;
	}
	for (unsigned i = 0; i < l->depth; i++)
		l->items *= shape[i];
}

/* How many lists begin before item `i`: as many as end there, except before the first and after the last item. */
static unsigned
list_brackets(const struct list *l, size_t i)
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
list_value(const struct list *l, enum datatype datatype, size_t i, char *out)
{
	if (datatype == DATATYPE_FP32)
		return out + decimal_write_f32(((const float *)l->values)[i * l->stride], out);
	if (datatype == DATATYPE_FP64)
		return out + decimal_write_f64(((const double *)l->values)[i * l->stride], out);
	return out + decimal_write_f16(((const uint16_t *)l->values)[i * l->stride], out);
}

static char *
list_item(const struct list *l, size_t i, char *out)
{
	if (l->any && l->values != NULL && json_non_finite_find(l->datatype, l->values, i, i + 1) == i)
		return out + json_non_finite_write(l->datatype, l->values, i, out);
	if (l->values != NULL)
		return list_value(l, l->datatype, i, out);
	*out++ = '[';
	*out++ = ']';
	return out;
}

/* Writes items up to `stop`, each with one comma and no bracket. `datatype` is a constant where this is inlined. */
static inline char *
list_run_of(const struct list *l, enum datatype datatype, size_t *next, size_t stop, char *out, const char *limit)
{
	size_t i = *next;

	for (; i < stop && (size_t)(limit - out) >= JSON_TENSOR_ROOM; i++) {
		out = list_value(l, datatype, i, out);
		*out++ = ',';
	}
	*next = i;
	return out;
}

/* The same for adjacent floats. The room that their text does not use, the next turn uses. */
static char *
list_run_f32(const struct list *l, size_t *next, size_t stop, char *out, const char *limit)
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
list_run(const struct list *l, size_t *next, size_t stop, char *out, const char *limit)
{
	if (l->datatype == DATATYPE_FP32 && l->stride == 1)
		return list_run_f32(l, next, stop, out, limit);
	if (l->datatype == DATATYPE_FP32)
		return list_run_of(l, DATATYPE_FP32, next, stop, out, limit);
	if (l->datatype == DATATYPE_FP64)
		return list_run_of(l, DATATYPE_FP64, next, stop, out, limit);
	return list_run_of(l, DATATYPE_FP16, next, stop, out, limit);
}

/* How far a run of values goes: to `stop`, or to the first that is not finite of those that there may be room for. */
static size_t
list_run_stop(const struct list *l, size_t next, size_t stop, size_t room)
{
	const size_t n = room / LEAST_USUAL_BYTES + 1;

	if (!l->any)
		return stop;
	return json_non_finite_find(l->datatype, l->values, next, stop - next < n ? stop : next + n);
}

/* Writes from item *next on, at least one into JSON_TENSOR_ROOM bytes, and moves it. Returns the bytes written. */
static size_t
list_read(const struct list *l, size_t *next, char *out, size_t size)
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
			out =
			    list_run(l, next, list_run_stop(l, *next, row_end - 1, (size_t)(limit - out)), out, limit);
	}
	return (size_t)(out - start);
}

void
json_add_double(struct buf *b, double value)
{
	char *room = buf_reserve(b, DECIMAL_F64_BYTES);

	if (room != NULL)
		b->len += decimal_write_f64(value, room);
}

void
json_add_doubles(struct buf *b, const double *values, size_t n, double fallback)
{
	json_add_doubles_shaped(b, values, &n, 1, fallback);
}

void
json_add_doubles_shaped(struct buf *b, const double *values, const size_t *shape, unsigned rank, double fallback)
{
	struct list l;
	size_t next = 0, room;
	char *out;

	list_init(&l, shape, rank, DATATYPE_FP64, values != NULL ? values : &fallback, values != NULL);
	/* Room for the shortest text, two bytes a number, before any is written: a layer may have 2^40 parameters. */
	if (l.items > SIZE_MAX / 2 || buf_reserve(b, 2 * l.items) == NULL)
		b->failed = true;
	while (next < l.items) {
		/* A block of values at a time; the last block asks for no more room than it needs. */
		room = l.items - next < ITEMS_AT_ONCE ? l.items - next : ITEMS_AT_ONCE;
		room = JSON_TENSOR_ROOM + room * DECIMAL_F64_BYTES;
		out = buf_reserve(b, room);
		if (out == NULL)
			return;
		b->len += list_read(&l, &next, out, room);
	}
}

/* {"shape":[2,3],"datatype":"FP32","data": */
static void
add_head(struct buf *b, const size_t *shape, unsigned rank, enum datatype datatype)
{
	buf_text(b, "{\"shape\":[");
	for (unsigned i = 0; i < rank; i++) {
		if (i > 0)
			buf_byte(b, ',');
		buf_uint(b, shape[i]);
	}
	buf_text(b, "],\"datatype\":\"");
	buf_text(b, datatype_name(datatype));
	buf_text(b, "\",\"data\":");
}

void
json_add_double_tensor(struct buf *b, const double *values, size_t n, double fallback)
{
	const size_t shape[] = { n };

	add_head(b, shape, 1, DATATYPE_FP64);
	json_add_doubles(b, values, n, fallback);
	buf_byte(b, '}');
}

void
json_add_tensor_head(struct buf *b, const struct tensor *t)
{
	add_head(b, t->shape, t->rank, t->datatype);
}

static void
list_of_tensor(struct list *l, const struct tensor *t)
{
	list_init(l, t->nested ? t->shape : &t->count, t->nested ? t->rank : 1, t->datatype, t->values, 1);
}

size_t
json_tensor_items(const struct tensor *t)
{
	struct list l;

	list_of_tensor(&l, t);
	return l.items;
}

size_t
json_tensor_bytes_max(const struct tensor *t)
{
	static const size_t text_bytes[] = { [DATATYPE_FP16] = DECIMAL_F16_TEXT,
		[DATATYPE_FP32] = DECIMAL_F32_TEXT,
		[DATATYPE_FP64] = DECIMAL_F64_TEXT };
	struct list l;
	size_t lists = 1, bytes;

	list_of_tensor(&l, t);
	bytes = l.items * ((l.values != NULL ? text_bytes[l.datatype] : strlen("[]")) + strlen(","));
	for (unsigned i = 0; i < l.depth; i++) {
		bytes += 2 * lists;
		lists *= l.extents[i];
	}
	return bytes + JSON_TENSOR_ROOM;
}

static size_t
tensor_read(const struct tensor *t, bool any, struct json_tensor_cursor *cursor, char *out, size_t size)
{
	struct list l;
	size_t len;

	if (cursor->done)
		return 0;
	list_of_tensor(&l, t);
	l.any = any;
	len = list_read(&l, &cursor->next, out, size);
	cursor->done = cursor->next == l.items;
	return len;
}

size_t
json_tensor_read(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size)
{
	return tensor_read(t, false, cursor, out, size);
}

size_t
json_tensor_read_any(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size)
{
	return tensor_read(t, true, cursor, out, size);
}
