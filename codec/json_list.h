/* SPDX-License-Identifier: MIT */
/* Nested lists of numbers as text, written block by block. Private to codec/. */
#ifndef CODEC_JSON_LIST_H
#define CODEC_JSON_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/tensor.h"

/*
 * A list is a row of items, values or (where an extent is 0) empty lists, with brackets between them that follow from
 * an item's index alone. So the index is all there is to know of where the writing stands.
 */
struct json_list {
	const void *values; /* NULL: the items are empty lists */
	enum datatype datatype;
	size_t stride; /* from one value to the next, in values: 1, or 0 to repeat the first */
	const size_t *extents;
	unsigned depth; /* levels of brackets around an item; 0 for an empty list alone */
	size_t items;
};

/* The list for this shape (rank >= 1), which must outlive it, as `values` must. */
void json_list_init(
    struct json_list *l, const size_t *shape, unsigned rank, enum datatype datatype, const void *values, size_t stride);

/*
 * Writes from item *next on what fits into out[0..size), and moves *next; it is done when *next is l->items. With at
 * least JSON_TENSOR_ROOM of `size`, one item fits. Returns the bytes written.
 */
size_t json_list_read(const struct json_list *l, size_t *next, char *out, size_t size);

#endif
