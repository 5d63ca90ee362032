/* SPDX-License-Identifier: MIT */
/* Hashes of (model, layer), the key of this room's hash tables. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/hash.h"

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
