/* SPDX-License-Identifier: MIT */
#include "codec/safetensors_members.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "codec/excerpt.h"

#define METADATA "__metadata__"

static const struct {
	const char *name;
	enum header_role role; /* of its value */
} members[MEMBER_COUNT] = {
	[MEMBER_DTYPE] = { "dtype", HEADER_DTYPE },
	[MEMBER_SHAPE] = { "shape", HEADER_SHAPE },
	[MEMBER_OFFSETS] = { "data_offsets", HEADER_OFFSETS },
};

size_t
header_put_number(unsigned char out[HEADER_NUMBER_MAX], uint64_t number)
{
	size_t len = 0;

	for (; number >= 0x80; number >>= 7)
		out[len++] = (unsigned char)(number | 0x80);
	out[len++] = (unsigned char)number;
	return len;
}

uint64_t
header_get_number(const unsigned char **in)
{
	uint64_t number = 0;
	unsigned shift = 0;

	for (; **in >= 0x80; (*in)++, shift += 7)
		number |= (uint64_t)(**in & 0x7f) << shift;
	return number | (uint64_t) * (*in)++ << shift;
}

struct text_span
header_get_text(const struct safetensors_header *h, size_t *at)
{
	const unsigned char *p = (const unsigned char *)h->texts.bytes + *at;
	const size_t len = (size_t)header_get_number(&p);
	const struct text_span text = { (const char *)p, len };

	*at = (size_t)(text.bytes + len - h->texts.bytes);
	return text;
}

uint64_t
header_hash(const char *text, size_t len)
{
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < len; i++)
		hash = hash_byte(hash, (unsigned char)text[i]);
	return hash_mix(hash);
}

/* The name of the open tensor, for messages. */
static const char *
tensor_name(const struct safetensors_header *h, char out[EXCERPT_BYTES])
{
	const struct text_span name = header_name(h, &h->tensor.entry);

	return excerpt_text(name.bytes, name.len, out);
}

/* Removes the text that was read last. */
static void
drop_text(struct safetensors_header *h)
{
	h->texts.len = h->token_text;
}

/* Puts the length of the text that was read last before it. */
static void
prefix_text(struct safetensors_header *h)
{
	const size_t len = h->texts.len - h->token_text;
	unsigned char number[HEADER_NUMBER_MAX];
	const size_t number_len = header_put_number(number, len);
	char *text;

	if (buf_reserve(&h->texts, number_len) == NULL)
		return;
	text = h->texts.bytes + h->token_text;
	memmove(text + number_len, text, len);
	memcpy(text, number, number_len);
	h->texts.len += number_len;
}

static bool
text_is(const struct safetensors_header *h, const char *text)
{
	const size_t len = h->texts.len - h->token_text;

	return strlen(text) == len && memcmp(h->texts.bytes + h->token_text, text, len) == 0;
}

/* A member of the header: a tensor's name, or the metadata. */
static int
key_of_root(struct safetensors_header *h, struct err *e)
{
	if (!text_is(h, METADATA)) {
		h->tensor = (struct header_tensor){ .name_hash = hash_mix(h->string.hash), .count = 1 };
		h->tensor.entry.name_at = (uint32_t)h->token_text;
		h->tensor.entry.name_len = (uint32_t)(h->texts.len - h->token_text);
		h->tensor.entry.header_at = (uint32_t)h->token_at;
		h->role = HEADER_TENSOR;
		return 0;
	}
	if (h->metadata_in_file > 0)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at, "the header: \"" METADATA "\" is given twice");
	h->metadata_in_file = h->token_at;
	h->role = HEADER_METADATA;
	drop_text(h);
	h->metadata_at = h->metadata_end = h->token_text;
	return 0;
}

/* A member of a tensor. */
static int
key_of_tensor(struct safetensors_header *h, struct err *e)
{
	enum header_member m = 0;
	char text[EXCERPT_BYTES];

	while (m < MEMBER_COUNT && !text_is(h, members[m].name))
		m++;
	drop_text(h);
	h->role = m < MEMBER_COUNT ? members[m].role : HEADER_IGNORED;
	if (m == MEMBER_COUNT)
		return 0;
	if (h->tensor.at[m] > 0)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at,
		    "the header: \"%s\" is given twice for tensor \"%s\"", members[m].name, tensor_name(h, text));
	h->tensor.at[m] = h->token_at;
	return 0;
}

int
header_key(struct safetensors_header *h, enum header_role in, struct err *e)
{
	if (in == HEADER_ROOT)
		return key_of_root(h, e);
	if (in == HEADER_TENSOR)
		return key_of_tensor(h, e);
	if (in == HEADER_METADATA) {
		name_index_add(&h->keys, hash_mix(h->string.hash), (uint32_t)h->token_text);
		prefix_text(h);
		h->role = HEADER_TEXT;
		return 0;
	}
	drop_text(h);
	h->role = HEADER_IGNORED;
	return 0;
}

static int
header_dtype(struct safetensors_header *h, struct err *e)
{
	const char *text = h->texts.bytes + h->token_text;
	const size_t len = h->texts.len - h->token_text;
	char given[EXCERPT_BYTES], name[EXCERPT_BYTES];
	enum safetensors_dtype dtype;

	if (safetensors_dtype_parse(text, len, &dtype) < 0)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at,
		    "the header: tensor \"%s\" has the dtype \"%s\", which is not known", tensor_name(h, name),
		    excerpt_text(text, len, given));
	h->tensor.entry.dtype = dtype;
	drop_text(h);
	return 0;
}

int
header_string(struct safetensors_header *h, struct err *e)
{
	if (h->role == HEADER_DTYPE)
		return header_dtype(h, e);
	if (h->role == HEADER_TEXT) {
		prefix_text(h);
		h->metadata_end = h->texts.len;
	} else {
		drop_text(h);
	}
	return 0;
}

/* The reference multiplies from the first extent on and stops at an overflow, even before an extent of 0. */
static void
header_extent(struct safetensors_header *h)
{
	struct header_tensor *t = &h->tensor;
	unsigned char number[HEADER_NUMBER_MAX];

	t->entry.rank++;
	t->overflow = t->overflow || __builtin_mul_overflow(t->count, h->whole, &t->count);
	buf_add(&h->texts, number, header_put_number(number, h->whole));
}

int
header_number(struct safetensors_header *h, struct err *e)
{
	char name[EXCERPT_BYTES];

	if (h->role == HEADER_EXTENT) {
		header_extent(h);
		return 0;
	}
	if (h->tensor.offsets == 2)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at,
		    "the header: tensor \"%s\" has more than two data_offsets", tensor_name(h, name));
	h->tensor.offset[h->tensor.offsets++] = h->whole;
	return 0;
}

/* What a complete tensor lacks, or NULL. */
static const char *
tensor_lacks(const struct header_tensor *t)
{
	for (enum header_member m = 0; m < MEMBER_COUNT; m++)
		if (t->at[m] == 0)
			return members[m].name;
	return NULL;
}

/* The bytes of the open tensor by its dtype and shape. */
static int
tensor_size(const struct safetensors_header *h, uint64_t *bytes, struct err *e)
{
	const struct header_tensor *t = &h->tensor;
	char name[EXCERPT_BYTES];
	uint64_t bits;

	if (t->overflow ||
	    __builtin_mul_overflow(t->count, safetensors_dtype_bits((enum safetensors_dtype)t->entry.dtype), &bits))
		return err_fail_at(e, ERR_BAD_SAFETENSORS, t->at[MEMBER_SHAPE],
		    "the header: the shape of tensor \"%s\" is too large: the number of its bits exceeds 64 bits",
		    tensor_name(h, name));
	if (bits % 8 != 0)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, t->at[MEMBER_SHAPE],
		    "the header: tensor \"%s\" of %s has %" PRIu64 " bits, which are not whole bytes",
		    tensor_name(h, name), safetensors_dtype_name((enum safetensors_dtype)t->entry.dtype), bits);
	*bytes = bits / 8;
	return 0;
}

static int
tensor_offsets(const struct safetensors_header *h, uint64_t bytes, struct err *e)
{
	const struct header_tensor *t = &h->tensor;
	const uint64_t begin = t->offset[0], end = t->offset[1];
	char name[EXCERPT_BYTES];

	if (end < begin)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, t->at[MEMBER_OFFSETS],
		    "the header: the data of tensor \"%s\" ends at %" PRIu64 ", before it begins at %" PRIu64,
		    tensor_name(h, name), end, begin);
	if (end - begin != bytes)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, t->at[MEMBER_OFFSETS],
		    "the header: tensor \"%s\" has %" PRIu64 " bytes by its dtype and shape, but %" PRIu64
		    " by its data_offsets",
		    tensor_name(h, name), bytes, end - begin);
	return 0;
}

/* A tensor's object has ended. */
static int
header_tensor(struct safetensors_header *h, struct err *e)
{
	struct header_tensor *t = &h->tensor;
	const char *lacks = tensor_lacks(t);
	char name[EXCERPT_BYTES];

	if (lacks != NULL)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, t->entry.header_at,
		    "the header: tensor \"%s\" has no \"%s\"", tensor_name(h, name), lacks);
	if (tensor_size(h, &t->entry.bytes, e) < 0 || tensor_offsets(h, t->entry.bytes, e) < 0)
		return -1;
	t->entry.begin = t->offset[0];
	name_index_add(&h->names, t->name_hash, (uint32_t)header_count(h));
	buf_add(&h->entries, &t->entry, sizeof(t->entry));
	return 0;
}

int
header_close(struct safetensors_header *h, enum header_role role, struct err *e)
{
	char name[EXCERPT_BYTES];

	if (role == HEADER_TENSOR)
		return header_tensor(h, e);
	if (role == HEADER_OFFSETS && h->tensor.offsets < 2)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at,
		    "the header: tensor \"%s\" needs two data_offsets, not %u", tensor_name(h, name),
		    h->tensor.offsets);
	return 0;
}
