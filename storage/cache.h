/* SPDX-License-Identifier: MIT */
/*
 * Committed state in memory: a hash table of snapshots by layer name, bounded in bytes. The least recently used
 * snapshots leave first. Only the store's thread puts and drops, after its commit; any thread reads. A lock guards the
 * table and is held for a few instructions.
 */
#pragma once

#include "storage/store.h"

struct cache;

struct cache *cache_new(size_t bytes_max) MUST_CHECK; /* NULL: no memory */
void cache_free(struct cache *c);                     /* NULL is fine */

/* Changes the bytes that it may hold. */
void cache_limit(struct cache *c, size_t bytes_max);

/* The snapshot with a reference for the caller, or NULL. */
const struct snapshot *cache_get(struct cache *c, const char *model, const char *layer);

/* Keeps a reference to `layer` in place of an older snapshot. Without memory for a new entry it keeps none. */
void cache_put(struct cache *c, const struct snapshot *layer);

/* Forgets a layer; forgets all layers of a model. */
void cache_drop(struct cache *c, const char *model, const char *layer);
void cache_drop_model(struct cache *c, const char *model);
