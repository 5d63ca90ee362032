/* SPDX-License-Identifier: MIT */
/*
 * Committed state in memory, bounded in bytes: snapshots by model, layer and version, and pointers by model and name. A
 * pointer is what an alias names, or, under the name "", what a model's inference reads. The entries that were not used
 * for longest leave first. Only the store's thread puts and drops, after its commit; any thread reads. A lock guards
 * the table. It is held for a few instructions, or for as many entries as are read, or published, together.
 *
 * Where others write to the database too, an entry is fresh for max_age_us after the database was last asked for it.
 * One that is not fresh any more is found only by cache_get_any, or by all while the database is away.
 */
#pragma once

#include "storage/store.h"

struct cache;

/* What a name of a model stands for. */
struct pointer {
	uint64_t number; /* of a version; 0: live */
	uint64_t mark;   /* of the name "": the model's, which the latest version or pin has; else 0 */
};

struct cache *cache_new(size_t bytes_max) MUST_CHECK; /* NULL: no memory */
void cache_free(struct cache *c);                     /* NULL is fine */

/* From now on others write too. Before any other thread has the cache. */
void cache_share(struct cache *c, uint64_t max_age_us);

/* The database is asked now: what is put from now on was fresh at this moment. The store's thread. */
void cache_asks(struct cache *c);

/* Whether the database is away: meanwhile entries of any age are found. The store's thread. */
void cache_set_away(struct cache *c, bool away);

/* How many entries it holds, and how many bytes, with what others have taken. Any thread. */
void cache_measure(struct cache *c, struct store_figures *out);

/* Others take bytes of those that it may hold: `now`, where they had taken `before`. */
void cache_lend(struct cache *c, size_t before, size_t now);

/* The snapshot of a version (0: live), with a reference for the caller, or NULL. _any: of whatever age. */
const struct snapshot *cache_get(struct cache *c, const char *model, const char *layer, uint64_t version);
const struct snapshot *cache_get_any(struct cache *c, const char *model, const char *layer, uint64_t version);

/*
 * Sets get->snapshot, with a reference for the caller, and its age, if the cache holds the state that is asked for (but
 * STORE_PINNED), and the pointer that says which it is. It is also returned; NULL: it does not hold them.
 */
const struct snapshot *cache_get_which(struct cache *c, struct store_get *get);

/*
 * The same for several layers of one model, in one committed state: `snapshots` gets a reference to each. False: it
 * does not hold all of them, and there are no references.
 */
bool cache_get_all(struct cache *c, struct store_layers *layers);

/* Whether it holds the pointer; *out: that. */
bool cache_get_pointer(struct cache *c, const char *model, const char *name, struct pointer *out);

/*
 * All that the store's thread puts and drops between the two is seen at once: readers wait for the end.
 */
void cache_publish_begin(struct cache *c);
void cache_publish_end(struct cache *c);

/*
 * Keeps a reference to `layer`, or the pointer, in place of an older one. Without memory for a new entry it keeps
 * none, and none of the older one.
 */
void cache_put(struct cache *c, const struct snapshot *layer);
void cache_put_pointer(struct cache *c, const char *model, const char *name, struct pointer pointer);

/* Forget a layer's live state; a pointer; a version's states; all of a model. */
void cache_drop(struct cache *c, const char *model, const char *layer);
void cache_drop_pointer(struct cache *c, const char *model, const char *name);
void cache_drop_version(struct cache *c, const char *model, uint64_t version);
void cache_drop_model(struct cache *c, const char *model);
