/* SPDX-License-Identifier: MIT */
/*
 * A batch: all the writes that waited, applied in order to copies in memory, and then written and committed at once.
 * What each operation means is in apply.c; this is the overlay of changed layers that it works on.
 */
#ifndef STORAGE_BATCH_H
#define STORAGE_BATCH_H

#include "base/arena.h"
#include "storage/backend.h"
#include "storage/cache.h"

/* A layer as this batch has changed it so far. Arrays are the committed snapshot's or the batch's arena's. */
struct working {
	char model[STORE_NAME_MAX + 1];
	char name[STORE_NAME_MAX + 1];
	bool exists;
	const struct snapshot
	    *base; /* a reference: what was committed, or was created empty in this batch; NULL when !exists */
	uint64_t revision;
	struct statistics statistics;
	struct statistics spare; /* arrays to apply the next update into; mean NULL until there are some */
	struct store_vector weight;
	struct store_vector bias;
	bool dirty; /* to be saved */
	bool parameters_dirty;
	const struct snapshot *next_layer; /* the snapshot to save and publish, once batch_save has made it */
	struct working *chain;             /* the next of its bucket */
	struct working *next;              /* in order of first use */
};

struct batch {
	struct backend *backend;
	struct cache *cache;
	const struct store_definition_ops *definitions;
	int64_t now_s;        /* the time of the batch, by the clock that may jump */
	int64_t keys_since_s; /* keys from before this are forgotten */
	size_t keys_added;
	struct trimmed_keys trimmed; /* what was forgotten of the oldest keys */
	struct arena arena;
	struct working **buckets;
	size_t bucket_count; /* a power of two */
	struct working *first, **last;
	const char **dropped_models; /* deleted in this batch: what the cache has of them does not count */
	size_t dropped_count;
	bool broken; /* a write failed, or took the transaction with it: nothing of this batch can be committed */
};

/* An empty batch for at most `op_count` operations. -1: no memory. */
int batch_init(struct batch *b, size_t op_count, struct backend *backend, struct cache *cache,
    const struct store_definition_ops *definitions, struct err *e) MUST_CHECK;
void batch_fini(struct batch *b);

/*
 * The working copy of a layer, made when the batch has none. It stands also for a layer that does not exist (exists
 * false). NULL with `e` when it cannot be read.
 */
struct working *batch_layer(struct batch *b, const char *model, const char *layer, struct err *e) MUST_CHECK;

/* Takes over a layer that was just created. `base` gives its reference away. */
void working_created(struct working *w, const struct snapshot *base);
void working_deleted(struct working *w);

/* Marks all layers of a model as gone. */
void batch_drop_model(struct batch *b, const char *model);

/* Applies one operation (apply.c). -1 with `e` when it is refused or fails; b->broken tells which of the two. */
int batch_apply(struct batch *b, struct store_op *op, struct err *e) MUST_CHECK;

/* Writes every dirty layer once. */
int batch_save(struct batch *b, struct err *e) MUST_CHECK;

/* After the commit: the cache learns what is committed now. */
void batch_publish(struct batch *b);

#endif
