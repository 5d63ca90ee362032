/* SPDX-License-Identifier: MIT */
/* Names of models and layers: hashes of (model, layer), the key of this room's hash tables; and ranges. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "storage/store.h"

/* `seed` hides the order of a table from clients, who choose the names. */
static inline uint64_t
names_hash(uint64_t seed, const char *model, const char *layer)
{
	return hash_fold(hash_text(hash_text(HASH_START ^ seed, model), layer));
}

static inline bool
names_equal(const char *model, const char *layer, const char *model2, const char *layer2)
{
	return strcmp(model, model2) == 0 && strcmp(layer, layer2) == 0;
}

/* Names from `from` to before `to`. */
struct names_range {
	char from[2 * STORE_NAME_MAX + 2], to[STORE_NAME_MAX + 2];
};

/*
 * The names that begin with the prefix and are above `after` (NULL: all). Names are of letters, digits, '.', '_' and
 * '-': the least name above a text begins after the text and a byte below these, and no name with a prefix is beyond it
 * and a byte above these. A longer `after` is cut: no name lies between.
 */
static inline void
names_with_prefix(struct names_range *out, const char *prefix, const char *after)
{
	const bool goes_on = after != NULL && *after != '\0' && strcmp(after, prefix) >= 0;

	snprintf(out->from, sizeof(out->from), "%.*s%s", 2 * (int)STORE_NAME_MAX, goes_on ? after : prefix,
	    goes_on ? "\x01" : "");
	snprintf(out->to, sizeof(out->to), "%.*s\x7f", (int)STORE_NAME_MAX, prefix);
}
