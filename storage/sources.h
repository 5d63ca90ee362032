/* SPDX-License-Identifier: MIT */
/*
 * The sources of one layer in memory, and their pool: the merge of all totals in the order of the names.
 *
 * A treap: a search tree by name and a heap by a fixed hash of the name. Its shape depends on the set of names alone,
 * and each node keeps the pool of its subtree, merged in the order left, itself, right. The pool's bits therefore
 * depend on the names and their totals alone: not on the order in which they came, on what was deleted meanwhile, or on
 * restarts. To change one source costs two merges for each node above it.
 *
 * The name "" stands for the part without a source. It is not in the tree: the layer's statistics are that part after
 * one more batch, the pool of all sources.
 */
#pragma once

#include "storage/store.h"

/* A source with its totals. Nobody but the tree sets what belongs to the tree. */
struct source {
	char name[STORE_NAME_MAX + 1];
	int64_t time_s;
	struct statistics own; /* its totals: count, mean and biased variance; of "": with the layer's own divisor */
	/* The tree's. */
	struct statistics pool; /* of its subtree; its arrays may be those of `own`, or of a child */
	uint64_t priority;
	struct source *left, *right;
	double values[]; /* the arrays of `own`, and those for `pool` */
};

struct sources {
	size_t features;
	size_t count;        /* named sources */
	struct source *part; /* the part without a source; NULL: there is none */
	struct source *root;
	double *scratch;
};

/* The bytes of one source, and of a tree without any. */
size_t source_bytes(size_t features);
size_t sources_bytes(size_t features);

/* A source of count 0, its arrays zeroed. NULL without memory. */
struct source *source_new(size_t features, const char *name, int64_t time_s) MUST_CHECK;
void source_free(struct source *source); /* NULL is fine */

/* Room for another mean and, behind it, variance, while the source is not in a tree; zeroed at first. */
double *source_spare(struct source *source);

/* No sources and no part. NULL without memory. */
struct sources *sources_new(size_t features) MUST_CHECK;
void sources_free(struct sources *t); /* with all that is in it; NULL is fine */

/* NULL: there is none of this name. */
const struct source *sources_find(const struct sources *t, const char *name);

/*
 * Puts `source` in the place of the one called `name`, which is its name; without `source` takes that one out. *old:
 * the one that was there, or NULL; it is the caller's then, and `source` the tree's. The exchange is done in any case.
 * If the pool overflows, the result says so, and the caller exchanges them back, which cannot fail. Without `pools`
 * nothing is merged, nothing overflows, and sources_pool_all follows the last exchange.
 */
enum update_result sources_exchange(
    struct sources *t, const char *name, struct source *source, bool pools, struct source **old) MUST_CHECK;

/* Adds a source that is read from the database, in place of one of the same name. sources_pool_all follows. */
void sources_load(struct sources *t, struct source *source);

/* Computes all pools anew. */
enum update_result sources_pool_all(struct sources *t) MUST_CHECK;

/*
 * The layer's statistics: sets the count of `out`, which has arrays of its own, and their values. Where there is no
 * part and no source counts anything, out->mean and out->var become NULL.
 */
enum update_result sources_statistics(const struct sources *t, unsigned ddof, struct statistics *out) MUST_CHECK;
