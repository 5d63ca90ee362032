/* SPDX-License-Identifier: MIT */
/*
 * The safetensors writer: the order of the tensors, the place of each in the file, and the header, byte for byte as the
 * reference library makes them (safetensors.h has the format). The data follows the header in the order of the tensors,
 * so that a file can be sent from any place on.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "codec/safetensors_dtype.h"

/* A tensor that is to be written. */
struct safetensors_tensor {
	const char *name; /* UTF-8 */
	size_t name_len;
	enum safetensors_dtype dtype;
	unsigned rank;
	const uint64_t *shape; /* NULL if rank is 0; its product, in bytes, fits 62 bits */
	size_t tag;            /* the caller's own: the order changes */

	/* set by safetensors_write_header */
	uint64_t bytes; /* of its data */
	uint64_t begin; /* the offset of its data, from the data's beginning */
};

struct safetensors_pair {
	const char *key; /* UTF-8, NUL-terminated */
	const char *value;
	size_t value_len;
};

/* What a file has: tensors with different names, and the metadata, with different keys. */
struct safetensors_contents {
	struct safetensors_tensor *tensors;
	size_t count;
	struct safetensors_pair *metadata; /* NULL: no "__metadata__" */
	size_t metadata_count;
};

/*
 * Sorts the tensors by their dtype, the last of SAFETENSORS_DTYPES first, then by name, and the metadata by key. Gives
 * each tensor its place. Appends the length and the header, padded to a multiple of 8 bytes, to `out`; *data_bytes is
 * the length of the data that follows. Errors: not_acceptable for a header above SAFETENSORS_HEADER_MAX; overloaded.
 */
int safetensors_write_header(
    struct safetensors_contents *contents, struct buf *out, uint64_t *data_bytes, struct err *e) MUST_CHECK;

/* After safetensors_write_header: the index of the tensor with byte `at` of the data, which is below data_bytes. */
size_t safetensors_tensor_at(const struct safetensors_contents *contents, uint64_t at);
