/* SPDX-License-Identifier: MIT */
/* The life of a header: bytes are scanned as they come, and names and places are checked at the end. */
#include "codec/safetensors_header.h"

#include <inttypes.h>

#include "codec/excerpt.h"
#include "codec/safetensors_layout.h"
#include "codec/safetensors_scan.h"

static struct text_span
name_of_entry(const void *owner, uint32_t at)
{
	const struct safetensors_header *h = owner;

	return header_name(h, &header_entries(h)[at]);
}

static struct text_span
key_of_metadata(const void *owner, uint32_t at)
{
	size_t place = at;

	return header_get_text(owner, &place);
}

void
safetensors_header_init(struct safetensors_header *h, uint64_t bytes, struct budget_share *memory)
{
	*h = (struct safetensors_header){ .memory = memory, .bytes = bytes, .state = HEADER_VALUE };
	buf_init(&h->texts, SIZE_MAX);
	buf_keep_apart(&h->texts);
	buf_count(&h->texts, memory);
	buf_init(&h->entries, SIZE_MAX);
	buf_keep_apart(&h->entries);
	buf_count(&h->entries, memory);
	name_index_init(&h->names, name_of_entry, h, memory);
	name_index_init(&h->keys, key_of_metadata, h, memory);
}

void
safetensors_header_fini(struct safetensors_header *h)
{
	buf_fini(&h->texts);
	buf_fini(&h->entries);
	name_index_fini(&h->names);
	name_index_fini(&h->keys);
}

/* The memory that the last step needed is missing. */
static int
header_refuse_memory(const struct safetensors_header *h, struct err *e)
{
	const struct buf *const bufs[] = { &h->texts, &h->entries, &h->names.items, &h->keys.items };

	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		if (bufs[i]->refused > 0)
			return budget_refuse(h->memory, bufs[i]->refused, e);
	return err_fail_memory(e);
}

int
safetensors_header_feed(struct safetensors_header *h, const char *bytes, size_t len, struct err *e)
{
	struct json_input in = {
		.p = bytes, .start = bytes, .end = bytes + len, .start_at = SAFETENSORS_LENGTH_BYTES + h->taken
	};

	while (in.p < in.end) {
		if (header_scan(h, &in, e) < 0)
			return -1;
		if (h->texts.failed || h->entries.failed || h->names.items.failed || h->keys.items.failed)
			return header_refuse_memory(h, e);
	}
	h->taken += len;
	return 0;
}

/* Two tensors, or two texts of the metadata, have one name. */
static int
header_twice(const struct safetensors_header *h, const struct name_index *names, uint32_t at, struct err *e)
{
	const struct text_span name = names->text(h, at);
	char text[EXCERPT_BYTES];

	excerpt_text(name.bytes, name.len, text);
	if (names == &h->names)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, header_entries(h)[at].header_at,
		    "the header: tensor \"%s\" is given twice", text);
	return err_fail_at(
	    e, ERR_BAD_SAFETENSORS, h->metadata_in_file, "the header: \"%s\" is given twice in \"__metadata__\"", text);
}

int
safetensors_header_end(struct safetensors_header *h, uint64_t data_bytes_max, struct err *e)
{
	uint32_t at;

	if (h->state != HEADER_PADDING)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, SAFETENSORS_LENGTH_BYTES + h->bytes,
		    "the header ends in the middle of its JSON: it has %" PRIu64 " byte%s by its length", h->bytes,
		    err_plural(h->bytes));
	if (name_index_sort(&h->keys, &at) < 0)
		return header_twice(h, &h->keys, at, e);
	if (name_index_sort(&h->names, &at) < 0)
		return header_twice(h, &h->names, at, e);
	return safetensors_layout(h, data_bytes_max, e);
}
