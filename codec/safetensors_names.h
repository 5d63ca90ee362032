/* SPDX-License-Identifier: MIT */
/*
 * An index of names: finds duplicates, and a name, by hash. The names themselves are elsewhere. A client that makes
 * many names with one hash gains nothing: those are ordered by their bytes. Private to codec/.
 */
#pragma once

#include "base/buf.h"
#include "codec/safetensors.h"

struct names {
	struct buf items; /* of struct sort_item: a name's hash and what it belongs to; sorted by names_sort */
	struct safetensors_text (*text)(const void *owner, uint32_t at);
	const void *owner;
};

/* An empty index of names that `text` reads. Its memory is counted in `memory`. */
void names_init(struct names *x, struct safetensors_text (*text)(const void *owner, uint32_t at), const void *owner,
    struct budget_share *memory);

void names_fini(struct names *x);

/* Adds a name with this hash. x->items.failed tells of missing memory. */
void names_add(struct names *x, uint64_t hash, uint32_t at);

/*
 * All names were added. Returns 0, or -1 if two are the same: the first that repeats an earlier one is *at, where
 * `at` of names_add grows with each name.
 */
int names_sort(struct names *x, uint32_t *at) MUST_CHECK;

/* After names_sort: finds a name with this hash. -1: there is none. */
int names_find(const struct names *x, uint64_t hash, struct safetensors_text name, uint32_t *at) MUST_CHECK;
