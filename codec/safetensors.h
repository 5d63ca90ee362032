/* SPDX-License-Identifier: MIT */
/*
 * The safetensors reader: takes one file in any pieces, as they arrive. The format
 * (huggingface/safetensors, README.md and safetensors/src/tensor.rs):
 *
 *     0        8                            8 + N
 *     N, u64   { header: JSON, UTF-8 } ...  data
 *
 * N is little-endian and at most SAFETENSORS_HEADER_MAX. The header is an object, padded with spaces. Its members are
 * the tensors, by name: {"dtype":"F32","shape":[2,3],"data_offsets":[begin,end]}, with offsets in the data. A member
 * "__metadata__" has strings. The data has no holes, no overlaps, and ends with the file.
 *
 * The caller feeds bytes until there is a header, looks at the tensors, says which of them to keep and where, and
 * feeds the rest. The data of others is skipped. The header is parsed as it arrives: what stays in memory are names,
 * shapes and the metadata's texts, fewer bytes than the header has, and 48 bytes for each tensor.
 *
 * Where the format leaves room, the reader does as the reference: unknown members of a tensor are ignored,
 * "__metadata__" may be null, and a product of extents may not overflow even if a later extent is 0. It is stricter in
 * three points, as the format's description demands: nothing may stand before the `{`, only spaces after the `}`, and
 * no name may be given twice, in the metadata either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "codec/safetensors_dtype.h"
#include "codec/text_span.h"

#define SAFETENSORS_HEADER_MAX ((uint64_t)100000000)

struct safetensors;

struct safetensors_limits {
	uint64_t file_bytes_max; /* of the whole file */
	uint64_t file_bytes;     /* the file's length, if the caller knows it beforehand; 0: unknown */
};

/*
 * A tensor as the header describes it. Texts of the header, here and below, are without its escapes; they live as long
 * as the reader, and move only before the header is complete.
 */
struct safetensors_entry {
	struct text_span name;
	enum safetensors_dtype dtype;
	unsigned rank;      /* 0: a single value */
	uint64_t count;     /* of values: the product of the shape */
	uint64_t bytes;     /* of its data */
	uint64_t begin;     /* the offset of its data, from the data's beginning */
	uint64_t header_at; /* the offset of its name in the file, for messages */
	bool kept;
};

/* A reader of one file. Its memory is counted in `memory`, or not if that is NULL. */
struct safetensors *safetensors_new(const struct safetensors_limits *limits, struct budget_share *memory) MUST_CHECK;

void safetensors_free(struct safetensors *s);

/*
 * Takes the next bytes. Stops after the last byte of the header: *taken is how many were taken. Once there is a header,
 * all are taken. Errors: bad_safetensors, with the offset in the file; body_too_large (file_bytes_max), from the
 * header; overloaded. After an error only safetensors_free may be called.
 */
int safetensors_feed(struct safetensors *s, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* Whether the header is complete. It is then valid, and what it describes has no holes and no overlaps. */
bool safetensors_has_header(const struct safetensors *s);

/* The file has ended: checks that it is complete. Error: bad_safetensors. */
int safetensors_finish(struct safetensors *s, struct err *e) MUST_CHECK;

/* The rest needs a header. */

/* The number of tensors, and one of them, i < count, in the header's order. */
size_t safetensors_count(const struct safetensors *s);
struct safetensors_entry safetensors_entry(const struct safetensors *s, size_t i);

/* Writes the first `max` extents of tensor `i` into `shape`. Returns how many. */
unsigned safetensors_shape(const struct safetensors *s, size_t i, uint64_t *shape, unsigned max);

/* Finds the tensor of this name, in logarithmic time. -1: there is none. */
int safetensors_find(const struct safetensors *s, const char *name, size_t len, size_t *i) MUST_CHECK;

/*
 * The next pair of the metadata, in the header's order. *cursor is 0 for the first, and moves. False: there are no
 * more.
 */
bool
safetensors_metadata_next(const struct safetensors *s, size_t *cursor, struct text_span *key, struct text_span *value);

/* Finds the metadata's text of this key, in logarithmic time. -1: there is none. */
int
safetensors_metadata_find(const struct safetensors *s, const char *key, size_t len, struct text_span *value) MUST_CHECK;

/*
 * Keeps the values of tensor `i`, which is not kept yet, before the first byte of data is fed. `values` has room for
 * all of them, and must outlive the last call of safetensors_feed, which fills it. Floats become doubles exactly; NaN
 * and infinity too. Errors: bad_safetensors, with the offset of the tensor's name, for a dtype other than F16, BF16,
 * F32 and F64, or, for whole numbers, other than I8 to I64 and U8 to U64; overloaded. safetensors_feed refuses a whole
 * number below 0, with its offset.
 */
int safetensors_keep_doubles(struct safetensors *s, size_t i, double *values, struct err *e) MUST_CHECK;
int safetensors_keep_wholes(struct safetensors *s, size_t i, uint64_t *values, struct err *e) MUST_CHECK;
