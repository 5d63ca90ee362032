/* SPDX-License-Identifier: MIT */
/*
 * Writers put tensors into the header in the order of their data, so that one walk is enough. Otherwise they are sorted
 * first.
 */
#include "codec/safetensors_layout.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "codec/excerpt.h"
#include "codec/sort.h"

#define BITS_62 (UINT64_MAX >> 2)

/* Orders by (begin, end), as far as that matters: where tensors begin together, those without bytes come first. */
static uint64_t
layout_key(const struct header_entry *entry)
{
	/* A larger begin is refused wherever it stands, because at most 62 bits of data are accepted before it. */
	return entry->begin > BITS_62 ? UINT64_MAX : entry->begin << 1 | (entry->bytes > 0);
}

static int
layout_gap(const struct safetensors_header *h, const struct header_entry *entry, uint64_t at, struct err *e)
{
	const struct text_span name = header_name(h, entry);
	char text[EXCERPT_BYTES];

	return err_fail_at(e, ERR_BAD_SAFETENSORS, entry->header_at,
	    "the data of tensor \"%s\" begins at %" PRIu64 ", but that of the tensors before it ends at %" PRIu64
	    ": the data may have no %s",
	    excerpt_text(name.bytes, name.len, text), entry->begin, at, entry->begin > at ? "holes" : "overlaps");
}

/* The next tensor in the order of the data. */
static int
layout_add(struct safetensors_header *h, const struct header_entry *entry, uint64_t data_bytes_max, struct err *e)
{
	if (entry->begin != h->data_bytes)
		return layout_gap(h, entry, h->data_bytes, e);
	if (entry->bytes > data_bytes_max - h->data_bytes)
		return err_fail_at(e, ERR_BODY_TOO_LARGE, entry->header_at,
		    "the file has more than %" PRIu64 " bytes of data by its header; larger files are not accepted"
		    " (--max-import)",
		    data_bytes_max);
	h->data_bytes += entry->bytes;
	return 0;
}

static bool
layout_is_sorted(const struct header_entry *entries, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (layout_key(&entries[i - 1]) > layout_key(&entries[i]))
			return false;
	return true;
}

/* Places of `n` entries, sorted. NULL: memory is missing. */
static struct sort_item *
layout_sort(struct safetensors_header *h, const struct header_entry *entries, size_t n, struct err *e)
{
	const size_t bytes = n * sizeof(struct sort_item);
	struct sort_item *items;

	if (budget_ask(h->memory, bytes, e) < 0)
		return NULL;
	items = malloc(bytes);
	if (items == NULL) {
		budget_give(h->memory, bytes);
		err_set_memory(e);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		items[i] = (struct sort_item){ .key = layout_key(&entries[i]), .at = (uint32_t)i };
	sort_items(items, n);
	return items;
}

int
safetensors_layout(struct safetensors_header *h, uint64_t data_bytes_max, struct err *e)
{
	const struct header_entry *const entries = header_entries(h);
	const size_t n = header_count(h);
	struct sort_item *items = NULL;
	int result = 0;

	assert(data_bytes_max <= BITS_62);
	if (!layout_is_sorted(entries, n) && (items = layout_sort(h, entries, n, e)) == NULL)
		return -1;
	for (size_t i = 0; i < n && result == 0; i++)
		result = layout_add(h, &entries[items == NULL ? i : items[i].at], data_bytes_max, e);
	if (items != NULL)
		budget_give(h->memory, n * sizeof(*items));
	free(items);
	return result;
}
