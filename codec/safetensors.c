/* SPDX-License-Identifier: MIT */
#include "codec/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "codec/excerpt.h"
#include "codec/safetensors_header.h"
#include "codec/safetensors_values.h"

/* No file is larger, so that sums of offsets fit 64 bits. */
#define FILE_BYTES_MAX (UINT64_MAX >> 2)

struct safetensors {
	struct safetensors_limits limits;
	struct budget_share *memory;
	uint64_t fed; /* bytes of the file so far */

	enum { STAGE_LENGTH, STAGE_HEADER, STAGE_DATA } stage;
	unsigned char length[SAFETENSORS_LENGTH_BYTES];
	uint64_t file_bytes; /* by the header, when that is complete */
	struct safetensors_values values;
	struct safetensors_header header; /* last, because it is large */
};

struct safetensors *
safetensors_new(const struct safetensors_limits *limits, struct budget_share *memory)
{
	struct safetensors *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->limits = *limits;
	if (s->limits.file_bytes_max > FILE_BYTES_MAX)
		s->limits.file_bytes_max = FILE_BYTES_MAX;
	s->memory = memory;
	return s;
}

void
safetensors_free(struct safetensors *s)
{
	if (s == NULL)
		return;
	if (s->stage > STAGE_LENGTH)
		safetensors_header_fini(&s->header);
	if (s->stage == STAGE_DATA)
		safetensors_values_fini(&s->values);
	free(s);
}

/* What a file is that begins as others do, by its first bytes; or "". */
static const char *
length_hint(const unsigned char *length)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *hint;
	} known[] = {
		{ "PK\x03\x04", 4, "; it is a zip archive, as torch.save writes it: use safetensors.torch.save_file" },
		{ "\x80\x02", 2, "; it is a pickle, as torch.save writes it: use safetensors.torch.save_file" },
		{ "\x93NUMPY", 6, "; it is a .npy file" },
		{ "\x89HDF", 4, "; it is an HDF5 file" },
		{ "GGUF", 4, "; it is a GGUF file" },
		{ "{", 1, "; it is JSON without its length" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(length, known[i].magic, known[i].len) == 0)
			return known[i].hint;
	return "";
}

/* The length of the header is complete. */
static int
take_length(struct safetensors *s, struct err *e)
{
	const uint64_t n = bytes_get_le64(s->length);

	if (n > SAFETENSORS_HEADER_MAX)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, 0,
		    "the header has %" PRIu64 " bytes by its length; at most %" PRIu64 " are allowed%s", n,
		    SAFETENSORS_HEADER_MAX, length_hint(s->length));
	if (s->limits.file_bytes > 0 && SAFETENSORS_LENGTH_BYTES + n > s->limits.file_bytes)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, 0,
		    "the header has %" PRIu64 " bytes by its length, but the file has only %" PRIu64, n,
		    s->limits.file_bytes);
	if (SAFETENSORS_LENGTH_BYTES + n > s->limits.file_bytes_max)
		return err_fail_at(e, ERR_BODY_TOO_LARGE, 0,
		    "the header has %" PRIu64 " bytes by its length; files of at most %" PRIu64
		    " are accepted (--max-import)",
		    n, s->limits.file_bytes_max);
	safetensors_header_init(&s->header, n, s->memory);
	s->stage = STAGE_HEADER;
	return 0;
}

static int
refuse_rest(const struct safetensors *s, struct err *e)
{
	return err_fail_at(e, ERR_BAD_SAFETENSORS, s->file_bytes,
	    "there are bytes after the data, which ends at byte %" PRIu64 " by the header", s->file_bytes);
}

static int
refuse_end(const struct safetensors *s, uint64_t end, struct err *e)
{
	return err_fail_at(e, ERR_BAD_SAFETENSORS, end,
	    "the file ends in the middle of its data: it has %" PRIu64 " of %" PRIu64 " bytes", end, s->file_bytes);
}

/* The header is complete. */
static int
take_header(struct safetensors *s, struct err *e)
{
	const uint64_t before = SAFETENSORS_LENGTH_BYTES + s->header.bytes;

	if (safetensors_header_end(&s->header, s->limits.file_bytes_max - before, e) < 0)
		return -1;
	s->file_bytes = before + s->header.data_bytes;
	safetensors_values_init(&s->values, before, s->memory);
	s->stage = STAGE_DATA;
	if (s->limits.file_bytes > s->file_bytes)
		return refuse_rest(s, e);
	if (s->limits.file_bytes > 0 && s->limits.file_bytes < s->file_bytes)
		return refuse_end(s, s->limits.file_bytes, e);
	return 0;
}

/* Bytes of the length and the header. Returns with *taken < len when the header is complete. */
static int
feed_head(struct safetensors *s, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	uint64_t missing;

	for (*taken = 0; *taken < len && s->stage == STAGE_LENGTH; (*taken)++) {
		s->length[s->fed++] = (unsigned char)bytes[*taken];
		if (s->fed == SAFETENSORS_LENGTH_BYTES && take_length(s, e) < 0)
			return -1;
	}
	if (s->stage == STAGE_LENGTH)
		return 0;
	missing = s->header.bytes - s->header.taken;
	len = len - *taken < missing ? len - *taken : (size_t)missing;
	if (safetensors_header_feed(&s->header, bytes + *taken, len, e) < 0)
		return -1;
	*taken += len;
	s->fed += len;
	return len == missing ? take_header(s, e) : 0;
}

int
safetensors_feed(struct safetensors *s, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	const uint64_t left = s->file_bytes - s->fed;

	if (s->stage != STAGE_DATA)
		return feed_head(s, bytes, len, taken, e);
	*taken = len;
	if (safetensors_values_feed(&s->values, bytes, left < len ? (size_t)left : len, e) < 0)
		return -1;
	s->fed += len;
	return len > left ? refuse_rest(s, e) : 0;
}

bool
safetensors_has_header(const struct safetensors *s)
{
	return s->stage == STAGE_DATA;
}

int
safetensors_finish(struct safetensors *s, struct err *e)
{
	if (s->stage == STAGE_LENGTH)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, s->fed,
		    "the file has %" PRIu64 " byte%s: too few for the length of its header", s->fed,
		    err_plural(s->fed));
	if (s->stage == STAGE_HEADER)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, s->fed,
		    "the file ends in the middle of its header: it has %" PRIu64 " of %" PRIu64 " bytes",
		    s->header.taken, s->header.bytes);
	return s->fed < s->file_bytes ? refuse_end(s, s->fed, e) : 0;
}

size_t
safetensors_count(const struct safetensors *s)
{
	return header_count(&s->header);
}

static struct header_entry *
entry_of(const struct safetensors *s, size_t i)
{
	assert(s->stage == STAGE_DATA && i < header_count(&s->header));
	return &header_entries(&s->header)[i];
}

struct safetensors_entry
safetensors_entry(const struct safetensors *s, size_t i)
{
	const struct header_entry *entry = entry_of(s, i);
	const enum safetensors_dtype dtype = (enum safetensors_dtype)entry->dtype;

	return (struct safetensors_entry){
		.name = header_name(&s->header, entry),
		.dtype = dtype,
		.rank = entry->rank,
		.count = entry->bytes * 8 / safetensors_dtype_bits(dtype),
		.bytes = entry->bytes,
		.begin = entry->begin,
		.header_at = entry->header_at,
		.kept = entry->kept,
	};
}

unsigned
safetensors_shape(const struct safetensors *s, size_t i, uint64_t *shape, unsigned max)
{
	const struct header_entry *entry = entry_of(s, i);
	const struct text_span name = header_name(&s->header, entry);
	const unsigned char *p = (const unsigned char *)name.bytes + name.len;
	const unsigned n = entry->rank < max ? entry->rank : max;

	for (unsigned k = 0; k < n; k++)
		shape[k] = header_get_number(&p);
	return n;
}

int
safetensors_find(const struct safetensors *s, const char *name, size_t len, size_t *i)
{
	uint32_t at;

	if (name_index_find(&s->header.names, header_hash(name, len), (struct text_span){ name, len }, &at) < 0)
		return -1;
	*i = at;
	return 0;
}

bool
safetensors_metadata_next(const struct safetensors *s, size_t *cursor, struct text_span *key, struct text_span *value)
{
	size_t at = s->header.metadata_at + *cursor;

	if (at == s->header.metadata_end)
		return false;
	*key = header_get_text(&s->header, &at);
	*value = header_get_text(&s->header, &at);
	*cursor = at - s->header.metadata_at;
	return true;
}

int
safetensors_metadata_find(const struct safetensors *s, const char *key, size_t len, struct text_span *value)
{
	uint32_t found;
	size_t at;

	if (name_index_find(&s->header.keys, header_hash(key, len), (struct text_span){ key, len }, &found) < 0)
		return -1;
	at = found;
	(void)header_get_text(&s->header, &at);
	*value = header_get_text(&s->header, &at);
	return 0;
}

static int
refuse_dtype(const struct safetensors *s, size_t i, const char *expected, struct err *e)
{
	const struct safetensors_entry entry = safetensors_entry(s, i);
	char text[EXCERPT_BYTES];

	return err_fail_at(e, ERR_BAD_SAFETENSORS, entry.header_at, "tensor \"%s\" has the dtype %s; expected %s",
	    excerpt_text(entry.name.bytes, entry.name.len, text), safetensors_dtype_name(entry.dtype), expected);
}

static int
keep(struct safetensors *s, size_t i, struct values_to to, struct err *e)
{
	struct header_entry *entry = entry_of(s, i);

	assert(!entry->kept && s->values.taken == 0);
	to.begin = entry->begin;
	to.bytes = entry->bytes;
	to.dtype = (enum safetensors_dtype)entry->dtype;
	if (safetensors_values_keep(&s->values, &to, e) < 0)
		return -1;
	entry->kept = 1;
	return 0;
}

int
safetensors_keep_doubles(struct safetensors *s, size_t i, double *values, struct err *e)
{
	if (!safetensors_dtype_is_float((enum safetensors_dtype)entry_of(s, i)->dtype))
		return refuse_dtype(s, i, "F16, BF16, F32 or F64", e);
	return keep(s, i, (struct values_to){ .doubles = values }, e);
}

int
safetensors_keep_wholes(struct safetensors *s, size_t i, uint64_t *values, struct err *e)
{
	if (!safetensors_dtype_is_whole((enum safetensors_dtype)entry_of(s, i)->dtype))
		return refuse_dtype(s, i, "I64 or another type of whole numbers", e);
	return keep(s, i, (struct values_to){ .wholes = values }, e);
}
