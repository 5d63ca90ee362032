/* SPDX-License-Identifier: MIT */
/*
 * What a batch is going to touch, for a database that others write to as well: such a database locks all of it before
 * the first write, in one order, and reads it as it is now, in one round trip. A database that is ours alone needs
 * none.
 */
#pragma once

#include "base/arena.h"
#include "storage/cache.h"

struct window_taken;

/*
 * A layer that is read, and perhaps written to. `known`: the state that the cache has, or NULL; the plan's reference.
 */
struct planned_layer {
	const char *model, *name;
	const struct snapshot *known;
};

/* A model of planned layers, or one that is written to itself. */
struct planned_model {
	const char *name;
	bool whole; /* it is written to itself, or its versions are: nobody else may write to its layers meanwhile */
};

/* A key that is looked up with a layer: a number in `layers`. */
struct planned_key {
	size_t layer;
	const char *key;
};

/* The lists have no doubles, and are in order: by model, then by name, or by layer, then by key. */
struct batch_plan {
	struct planned_layer *layers;
	struct planned_model *models;
	struct planned_key *keys;
	size_t layer_count, model_count, key_count;
	int64_t keys_since_s; /* keys from before this are forgotten */
};

/*
 * The plan of all changes, or of all reads of layers, among the operations, and of the layers whose windows are saved.
 * Texts are the operations' own. -1: no memory. Either way plan_fini follows.
 */
int plan_changes(struct batch_plan *plan, const struct store_op *ops, const struct window_taken *windows,
    size_t window_count, struct cache *cache, struct arena *arena, struct err *e) MUST_CHECK;
int plan_reads(struct batch_plan *plan, const struct store_op *ops, struct cache *cache, struct arena *arena,
    struct err *e) MUST_CHECK;

/* Releases the states that are known. */
void plan_fini(struct batch_plan *plan);

/* The number of a layer in the plan, or plan->layer_count. */
size_t plan_find_layer(const struct batch_plan *plan, const char *model, const char *name);
/* The same for a model, and for a key of a layer. */
size_t plan_find_model(const struct batch_plan *plan, const char *name);
size_t plan_find_key(const struct batch_plan *plan, size_t layer, const char *key);
