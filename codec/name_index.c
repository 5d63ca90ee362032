/* SPDX-License-Identifier: MIT */
#include "codec/name_index.h"

#include <string.h>

#include "codec/sort.h"

void
name_index_init(struct name_index *x, struct text_span (*text)(const void *owner, uint32_t at), const void *owner,
    struct budget_share *memory)
{
	*x = (struct name_index){ .text = text, .owner = owner };
	buf_init(&x->items, SIZE_MAX);
	buf_keep_apart(&x->items);
	buf_count(&x->items, memory);
}

void
name_index_fini(struct name_index *x)
{
	buf_fini(&x->items);
}

static struct sort_item *
name_index_items(const struct name_index *x)
{
	return (struct sort_item *)(void *)x->items.bytes;
}

static size_t
name_index_count(const struct name_index *x)
{
	return x->items.len / sizeof(struct sort_item);
}

void
name_index_add(struct name_index *x, uint64_t hash, uint32_t at)
{
	const struct sort_item item = { .key = hash, .at = at };

	buf_add(&x->items, &item, sizeof(item));
}

/* Shorter ones first. */
static int
text_compare(struct text_span a, struct text_span b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len == 0 ? 0 : memcmp(a.bytes, b.bytes, a.len);
}

/* By hash, then by text, then by place, so that the order is total. */
static int
item_compare(const struct name_index *x, const struct sort_item *a, const struct sort_item *b)
{
	int order;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	order = text_compare(x->text(x->owner, a->at), x->text(x->owner, b->at));
	return order != 0 ? order : a->at < b->at ? -1 : a->at > b->at;
}

/* Lets items[i] sink until the heap of `n` is one again. */
static void
heap_sink(const struct name_index *x, struct sort_item *items, size_t i, size_t n)
{
	const struct sort_item item = items[i];
	size_t child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && item_compare(x, &items[child], &items[child + 1]) < 0)
			child++;
		if (item_compare(x, &item, &items[child]) >= 0)
			break;
		items[i] = items[child];
	}
	items[i] = item;
}

/* Heapsort (Williams, Floyd 1964): in place, and never more than n log n comparisons. */
static void
heap_sort(const struct name_index *x, struct sort_item *items, size_t n)
{
	struct sort_item last;

	for (size_t i = n / 2; i-- > 0;)
		heap_sink(x, items, i, n);
	while (n > 1) {
		last = items[--n];
		items[n] = items[0];
		items[0] = last;
		heap_sink(x, items, 0, n);
	}
}

/* Orders the `n` items of one hash by their texts. Lowers *at to the first duplicate. */
static void
name_index_order(const struct name_index *x, struct sort_item *items, size_t n, uint32_t *at)
{
	heap_sort(x, items, n);
	for (size_t i = 1; i < n; i++)
		if (text_compare(x->text(x->owner, items[i - 1].at), x->text(x->owner, items[i].at)) == 0 &&
		    items[i].at < *at)
			*at = items[i].at;
}

int
name_index_sort(struct name_index *x, uint32_t *at)
{
	struct sort_item *const items = name_index_items(x);
	const size_t n = name_index_count(x);
	size_t end;

	*at = UINT32_MAX;
	if (n > 0)
		sort_items(items, n);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && items[end].key == items[i].key;)
			end++;
		if (end - i > 1)
			name_index_order(x, items + i, end - i, at);
	}
	return *at == UINT32_MAX ? 0 : -1;
}

int
name_index_find(const struct name_index *x, uint64_t hash, struct text_span name, uint32_t *at)
{
	const struct sort_item *const items = name_index_items(x);
	size_t low = 0, high = name_index_count(x), middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = items[middle].key != hash ? (items[middle].key < hash ? -1 : 1) :
						    text_compare(x->text(x->owner, items[middle].at), name);
		if (order == 0) {
			*at = items[middle].at;
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}
