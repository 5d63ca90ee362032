/* SPDX-License-Identifier: MIT */
#include "codec/json_write.h"

#include <stdint.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/json_list.h"

#define ITEMS_AT_ONCE ((size_t)64)

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
	struct json_list l;
	size_t next = 0, room;
	char *out;

	json_list_init(&l, shape, rank, DATATYPE_FP64, values != NULL ? values : &fallback, values != NULL);
	/*
	 * Room for the shortest numbers, of two bytes, before the first is written: a layer that a few bytes define may
	 * have 2^40 parameters.
	 */
	if (l.items > SIZE_MAX / 2 || buf_reserve(b, 2 * l.items) == NULL)
		b->failed = true;
	while (next < l.items) {
		/* Some dozens of values at a time; the last few of them do not ask for room that they do not need. */
		room = l.items - next < ITEMS_AT_ONCE ? l.items - next : ITEMS_AT_ONCE;
		room = JSON_TENSOR_ROOM + room * DECIMAL_F64_BYTES;
		out = buf_reserve(b, room);
		if (out == NULL)
			return;
		b->len += json_list_read(&l, &next, out, room);
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

size_t
json_tensor_read(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size)
{
	struct json_list l;
	size_t len;

	if (cursor->done)
		return 0;
	json_list_init(&l, t->nested ? t->shape : &t->count, t->nested ? t->rank : 1, t->datatype, t->values, 1);
	len = json_list_read(&l, &cursor->next, out, size);
	cursor->done = cursor->next == l.items;
	return len;
}
