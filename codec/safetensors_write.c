/* SPDX-License-Identifier: MIT */
#include "codec/safetensors_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/quote.h"
#include "codec/safetensors.h"

#define LENGTH_BYTES ((size_t)8)

/* By dtype, descending, then by name. Rust orders strings by their bytes. */
static int
tensor_compare(const void *left, const void *right)
{
	const struct safetensors_tensor *a = left, *b = right;
	const size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	int order;

	if (a->dtype != b->dtype)
		return a->dtype > b->dtype ? -1 : 1;
	order = len == 0 ? 0 : memcmp(a->name, b->name, len);
	return order != 0 ? order : a->name_len < b->name_len ? -1 : a->name_len > b->name_len;
}

static int
pair_compare(const void *left, const void *right)
{
	const struct safetensors_pair *a = left, *b = right;

	return strcmp(a->key, b->key);
}

/* Sorts the tensors and gives each its place. Returns the bytes of all data. */
static uint64_t
place_tensors(const struct safetensors_contents *contents)
{
	uint64_t at = 0, bits;

	if (contents->count > 0)
		qsort(contents->tensors, contents->count, sizeof(*contents->tensors), tensor_compare);
	for (size_t i = 0; i < contents->count; i++) {
		struct safetensors_tensor *t = &contents->tensors[i];

		bits = safetensors_dtype_bits(t->dtype);
		for (unsigned k = 0; k < t->rank; k++)
			bits *= t->shape[k];
		assert(bits % 8 == 0);
		t->bytes = bits / 8;
		t->begin = at;
		at += t->bytes;
	}
	return at;
}

static void
write_metadata(const struct safetensors_contents *contents, struct buf *out)
{
	const size_t n = contents->metadata_count;

	if (n > 0)
		qsort(contents->metadata, n, sizeof(*contents->metadata), pair_compare);
	buf_text(out, "\"__metadata__\":{");
	for (size_t i = 0; i < n; i++) {
		const struct safetensors_pair *pair = &contents->metadata[i];

		quote_json_text(out, pair->key, strlen(pair->key));
		buf_byte(out, ':');
		quote_json_text(out, pair->value, pair->value_len);
		if (i + 1 < n)
			buf_byte(out, ',');
	}
	buf_byte(out, '}');
}

static void
write_tensor(const struct safetensors_tensor *t, struct buf *out)
{
	quote_json_text(out, t->name, t->name_len);
	buf_text(out, ":{\"dtype\":\"");
	buf_text(out, safetensors_dtype_name(t->dtype));
	buf_text(out, "\",\"shape\":[");
	for (unsigned k = 0; k < t->rank; k++) {
		if (k > 0)
			buf_byte(out, ',');
		buf_uint(out, t->shape[k]);
	}
	buf_text(out, "],\"data_offsets\":[");
	buf_uint(out, t->begin);
	buf_byte(out, ',');
	buf_uint(out, t->begin + t->bytes);
	buf_text(out, "]}");
}

int
safetensors_write_header(struct safetensors_contents *contents, struct buf *out, uint64_t *data_bytes, struct err *e)
{
	const size_t start = out->len;
	unsigned char length[LENGTH_BYTES] = { 0 };
	uint64_t n;

	*data_bytes = place_tensors(contents);
	buf_add(out, length, sizeof(length));
	buf_byte(out, '{');
	if (contents->metadata != NULL)
		write_metadata(contents, out);
	for (size_t i = 0; i < contents->count; i++) {
		if (i > 0 || contents->metadata != NULL)
			buf_byte(out, ',');
		write_tensor(&contents->tensors[i], out);
	}
	buf_byte(out, '}');
	while ((out->len - start) % LENGTH_BYTES != 0 && !out->failed)
		buf_byte(out, ' ');
	n = out->len - start - LENGTH_BYTES;
	if (out->failed)
		return out->refused > 0 ? budget_refuse(out->memory, out->refused, e) : err_fail_memory(e);
	if (n > SAFETENSORS_HEADER_MAX)
		return err_fail(e, ERR_NOT_ACCEPTABLE,
		    "a safetensors file may have at most %" PRIu64 " bytes of header; that of this model has %" PRIu64,
		    SAFETENSORS_HEADER_MAX, n);
	bytes_put_le64(length, n);
	memcpy(out->bytes + start, length, sizeof(length));
	return 0;
}

size_t
safetensors_tensor_at(const struct safetensors_contents *contents, uint64_t at)
{
	size_t low = 0, high = contents->count, middle;

	/* The last tensor that begins at or before the byte. It has bytes: what follows one without begins with it. */
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (contents->tensors[middle].begin <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}
