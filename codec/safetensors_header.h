/* SPDX-License-Identifier: MIT */
/*
 * The header of a safetensors file, parsed as it arrives: a strict RFC 8259 scanner that knows what each value must be.
 * It keeps no JSON. A name and its shape are bytes in `texts`, the rest of a tensor is a header_entry. Private to
 * codec/.
 */
#pragma once

#include "codec/json_number.h"
#include "codec/json_scan.h"
#include "codec/json_string.h"
#include "codec/name_index.h"
#include "codec/safetensors.h"

/* The bytes before the header: its length. */
#define SAFETENSORS_LENGTH_BYTES ((size_t)8)

/* A file may have hundreds of thousands. */
struct header_entry {
	uint64_t begin; /* of its data, in the data */
	uint64_t bytes;
	uint32_t name_at; /* in `texts`; the extents follow the name (header_put_number) */
	uint32_t name_len;
	uint32_t header_at; /* the offset of the name in the file */
	uint32_t rank : 26; /* an extent takes two bytes of a header of at most 10^8 */
	uint32_t dtype : 5; /* enum safetensors_dtype */
	uint32_t kept : 1;
};

/* What the next value is, or the one that is being read; and what a list or an object is. */
enum header_role {
	HEADER_ROOT,
	HEADER_METADATA,
	HEADER_TEXT, /* of the metadata */
	HEADER_TENSOR,
	HEADER_DTYPE,
	HEADER_SHAPE,
	HEADER_OFFSETS,
	HEADER_EXTENT,
	HEADER_OFFSET,
	HEADER_IGNORED /* a member of a tensor that is not known, and what is in it */
};

enum header_state {
	HEADER_VALUE,
	HEADER_VALUE_OR_END, /* after '[' */
	HEADER_KEY,          /* after a ',' in an object */
	HEADER_KEY_OR_END,   /* after '{' */
	HEADER_COLON,
	HEADER_COMMA,   /* after a value in a list or an object */
	HEADER_PADDING, /* after the root */
	HEADER_IN_KEY,  /* this and those that follow: in a token that the input may cut */
	HEADER_IN_STRING,
	HEADER_IN_NUMBER,
	HEADER_IN_LITERAL
};

/* The members of a tensor that are known. */
enum header_member { MEMBER_DTYPE, MEMBER_SHAPE, MEMBER_OFFSETS, MEMBER_COUNT };

/* The tensor whose object is open. */
struct header_tensor {
	struct header_entry entry;
	uint64_t name_hash;
	uint64_t at[MEMBER_COUNT]; /* where these are in the file; 0: not yet */
	uint64_t count;            /* the product of the extents so far */
	bool overflow;             /* it exceeds 64 bits */
	uint64_t offset[2];        /* data_offsets */
	unsigned offsets;          /* how many there are */
};

struct header_frame {
	unsigned char role; /* enum header_role */
	bool object;
};

struct safetensors_header {
	struct budget_share *memory;
	uint64_t bytes; /* its length, N */
	uint64_t taken; /* of these, so far */

	/* What is found. */
	struct buf texts;   /* names, each with its extents; keys and texts of the metadata, each after its length */
	struct buf entries; /* of struct header_entry, in the header's order */
	struct name_index names; /* the entry of each name */
	struct name_index keys;  /* the place in `texts` of each key of the metadata */
	size_t metadata_at;      /* where the pairs of the metadata are, in `texts` */
	size_t metadata_end;
	uint64_t metadata_in_file; /* where "__metadata__" is; 0: nowhere */
	uint64_t data_bytes;       /* after safetensors_header_end */

	/* Where the parser is. */
	enum header_state state;
	enum header_role role;
	uint64_t token_at; /* the current token's beginning in the file */
	size_t token_text; /* and in `texts` */
	struct json_string string;
	enum json_number number;
	uint64_t whole;      /* the number, if it is an extent or an offset */
	const char *literal; /* its rest */
	struct header_tensor tensor;
	unsigned depth;
	struct header_frame frames[JSON_DEPTH_MAX];
};

/* A header of `bytes` bytes, of which none has come. */
void safetensors_header_init(struct safetensors_header *h, uint64_t bytes, struct budget_share *memory);

void safetensors_header_fini(struct safetensors_header *h);

/* The next bytes, no more than the header has. Errors: bad_safetensors, with the offset in the file; overloaded. */
int safetensors_header_feed(struct safetensors_header *h, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/*
 * All bytes have come: checks that the JSON is complete, that no name is given twice, and that the data of the tensors
 * has no holes and no overlaps, and at most `data_bytes_max` bytes. Errors: bad_safetensors, body_too_large,
 * overloaded.
 */
int safetensors_header_end(struct safetensors_header *h, uint64_t data_bytes_max, struct err *e) MUST_CHECK;

static inline struct header_entry *
header_entries(const struct safetensors_header *h)
{
	return (struct header_entry *)(void *)h->entries.bytes;
}

static inline size_t
header_count(const struct safetensors_header *h)
{
	return h->entries.len / sizeof(struct header_entry);
}

static inline struct text_span
header_name(const struct safetensors_header *h, const struct header_entry *entry)
{
	return (struct text_span){ h->texts.bytes + entry->name_at, entry->name_len };
}

/* A number in as few bytes as it needs, seven bits in each (LEB128): never more than its decimal digits. */
#define HEADER_NUMBER_MAX 10
size_t header_put_number(unsigned char out[HEADER_NUMBER_MAX], uint64_t number);
uint64_t header_get_number(const unsigned char **in);

/* A key or a text of the metadata, with its length before it. *at moves behind it. */
struct text_span header_get_text(const struct safetensors_header *h, size_t *at);

/* The hash by which names are found: of a text, and of one that was just read. */
uint64_t header_hash(const char *text, size_t len);
