/* SPDX-License-Identifier: MIT */
/*
 * The JSON encoder. An answer is a short list of pieces, texts and tensors, and is written block by block as the socket
 * drains: there is never a second copy of a tensor as text.
 */
#ifndef CODEC_JSON_WRITE_H
#define CODEC_JSON_WRITE_H

#include "base/buf.h"
#include "codec/tensor.h"

/* Appends a finite double as its shortest decimal. */
void json_add_double(struct buf *b, double value);

/* Appends a flat list of `n` finite doubles; with a NULL array, `n` times `fallback`. */
void json_add_doubles(struct buf *b, const double *values, size_t n, double fallback);

/* The same nested by `shape` (rank >= 1), n = product of shape. */
void json_add_doubles_shaped(struct buf *b, const double *values, const size_t *shape, unsigned rank, double fallback);

/* Appends a tensor object of FP64: {"shape":[n],"datatype":"FP64","data":[...]}. */
void json_add_double_tensor(struct buf *b, const double *values, size_t n, double fallback);

/* The least room that json_tensor_read needs to make progress. */
#define JSON_TENSOR_ROOM ((size_t)(DECIMAL_BYTES_MAX + 2 * TENSOR_RANK_MAX + 2))
#define DECIMAL_BYTES_MAX 40

/* Where the writing of a tensor's data stands; zeroed, it stands at the beginning. */
struct json_tensor_cursor {
	size_t next; /* the next value */
	bool done;
};

/*
 * Writes the next part of the tensor's `data` list, nested or flat as t->nested says, into out[0..size), and moves the
 * cursor. Returns the bytes written, which is 0 only when `cursor->done` was set before or size < JSON_TENSOR_ROOM.
 * Values must be finite.
 */
size_t json_tensor_read(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size);

/* Writes the head of a tensor object up to its data: {"shape":[2,3],"datatype":"FP32","data": (the brace left open). */
void json_add_tensor_head(struct buf *b, const struct tensor *t);

#endif
