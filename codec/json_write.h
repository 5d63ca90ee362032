/* SPDX-License-Identifier: MIT */
/* The JSON encoder. A tensor is written block by block as the socket drains: there is never all of it as text. */
#pragma once

#include "base/buf.h"
#include "codec/decimal.h"
#include "codec/tensor.h"

/* Appends a finite double as its shortest decimal. */
void json_add_double(struct buf *b, double value);

/* Appends a flat list of `n` finite doubles; if `values` is NULL, of `n` times `fallback`. */
void json_add_doubles(struct buf *b, const double *values, size_t n, double fallback);

/* The same nested by `shape` (rank >= 1), n = product of shape. */
void json_add_doubles_shaped(struct buf *b, const double *values, const size_t *shape, unsigned rank, double fallback);

/* Appends a tensor object of FP64: {"shape":[n],"datatype":"FP64","data":[...]}. */
void json_add_double_tensor(struct buf *b, const double *values, size_t n, double fallback);

/* The least room in which json_tensor_read makes progress. */
#define JSON_TENSOR_ROOM ((size_t)(DECIMAL_F64_BYTES + 2 * TENSOR_RANK_MAX + 2))

/* The place in a tensor's data up to which it is written. Zeroed: the beginning. */
struct json_tensor_cursor {
	size_t next; /* the next value */
	bool done;
};

/*
 * The most bytes that all of the list may have, and that writing it in JSON_TENSOR_ROOM and more at a time may use. The
 * values may be anything.
 */
size_t json_tensor_bytes_max(const struct tensor *t);

/*
 * Writes the next part of the tensor's `data` list, nested or flat by t->nested, into out[0..size), and moves the
 * cursor. Values must be finite. Returns the bytes written: 0 only if cursor->done was set before or size <
 * JSON_TENSOR_ROOM.
 */
size_t json_tensor_read(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size);

/* The same for values that may be NaN, Infinity and -Infinity, and are written so, though JSON has no such numbers. */
size_t json_tensor_read_any(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size);

/* How many items that list has: values or, where an extent is 0, empty lists. At least one. */
size_t json_tensor_items(const struct tensor *t);

/* Appends a tensor object up to its data: {"shape":[2,3],"datatype":"FP32","data": */
void json_add_tensor_head(struct buf *b, const struct tensor *t);
