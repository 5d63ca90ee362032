/* SPDX-License-Identifier: MIT */
/*
 * The trees of layers with sources (storage/sources.h), loaded when a write first needs one. They hold what the rows
 * hold, those of the open transaction, so that any tree may be dropped between two writes: the least recently used
 * leave first. When a transaction or a change goes back, the trees that the batch has used are dropped too. Of a shared
 * database, a tree of another revision than the layer's is loaded anew.
 *
 * Their bytes are lent by the cache. The store's thread alone uses them.
 */
#pragma once

#include "storage/backend.h"
#include "storage/cache.h"
#include "storage/sources.h"

#define SOURCE_TREES_BUCKETS ((size_t)1024)

struct source_tree {
	struct sources *sources;
	int64_t layer_id;
	char model[STORE_NAME_MAX + 1];
	uint64_t revision; /* the layer's, with which it holds what the rows hold */
	uint64_t used_in;  /* the last batch that used it */
	size_t bytes;      /* as they were counted */
	struct source_tree *chain;
	struct source_tree *newer, *older; /* by use */
};

struct source_trees {
	struct cache *cache;
	size_t bytes_max;
	size_t bytes;
	uint64_t batch;
	struct source_tree *newest, *oldest;
	struct source_tree *buckets[SOURCE_TREES_BUCKETS];
};

void source_trees_init(struct source_trees *t, struct cache *cache, size_t bytes_max);
void source_trees_fini(struct source_trees *t);

/* A batch begins. */
void source_trees_begin(struct source_trees *t);

/*
 * The tree of a layer in the state `now`, whose number of features is fixed or given: found, loaded, or empty where the
 * layer has no sources. It stays until the next call. NULL with `e`, also if it has no room (too_many_sources).
 */
struct source_tree *source_trees_get(
    struct source_trees *t, struct backend *b, const struct snapshot *now, size_t features, struct err *e) MUST_CHECK;

/* Makes room for one source more in a tree. */
int source_trees_make_room(struct source_trees *t, struct source_tree *tree, struct err *e) MUST_CHECK;

/* A write has ended: counts what the tree takes by now, and drops it if it has no sources. */
void source_trees_settle(struct source_trees *t, struct source_tree *tree);

/* Drops a layer's tree, if there is one; those of a model; those that this batch has used. */
void source_trees_drop(struct source_trees *t, int64_t layer_id);
void source_trees_drop_model(struct source_trees *t, const char *model);
void source_trees_drop_used(struct source_trees *t);
