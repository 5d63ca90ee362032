/* SPDX-License-Identifier: MIT */
#include "storage/source_page.h"

#include <stdlib.h>

/* The lists of a page together. A single source's may be longer. */
#define PAGE_BYTES ((size_t)2 << 20)

/* The bytes of the lists of one source. */
static size_t
lists_bytes(const struct store_sources *list)
{
	return 2 * list->snapshot->statistics.features * sizeof(double);
}

size_t
source_page_limit(const struct store_sources *list)
{
	const size_t fit = PAGE_BYTES / (lists_bytes(list) + 1) + 1;
	const size_t limit = list->name != NULL ? 1 : list->limit < fit ? list->limit : fit;

	return limit < list->snapshot->sources ? limit : list->snapshot->sources;
}

double *
source_page_new(struct store_sources *list, size_t limit, size_t rows, struct err *e)
{
	const size_t bytes = limit * (sizeof(*list->entries) + lists_bytes(list));

	if (budget_ask(list->memory, bytes + rows * lists_bytes(list), e) < 0)
		return NULL;
	list->entries = calloc(1, bytes);
	if (list->entries == NULL) {
		err_set_memory(e);
		return NULL;
	}
	return (double *)(list->entries + limit);
}

void
source_page_end(struct store_sources *list, size_t rows)
{
	budget_give(list->memory, rows * lists_bytes(list));
}
