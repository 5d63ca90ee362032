/* SPDX-License-Identifier: MIT */
/*
 * An index of names: finds duplicates, and a name, by hash. The names themselves are elsewhere. A client that makes
 * many names with one hash gains nothing: those are ordered by their bytes. Private to codec/.
 */
#pragma once

#include "base/buf.h"
#include "codec/text_span.h"

struct name_index {
	struct buf items; /* of struct sort_item: a name's hash and what it belongs to; sorted by name_index_sort */
	struct text_span (*text)(const void *owner, uint32_t at);
	const void *owner;
};

/* An empty index of names that `text` reads. Its memory is counted in `memory`. */
void name_index_init(struct name_index *x, struct text_span (*text)(const void *owner, uint32_t at), const void *owner,
    struct budget_share *memory);

void name_index_fini(struct name_index *x);

/* Adds a name with this hash. x->items.failed tells of missing memory. */
void name_index_add(struct name_index *x, uint64_t hash, uint32_t at);

/*
 * All names were added. Returns 0, or -1 if two are the same: the first that repeats an earlier one is *at, where
 * `at` of name_index_add grows with each name.
 */
int name_index_sort(struct name_index *x, uint32_t *at) MUST_CHECK;

/* After name_index_sort: finds a name with this hash. -1: there is none. */
int name_index_find(const struct name_index *x, uint64_t hash, struct text_span name, uint32_t *at) MUST_CHECK;
