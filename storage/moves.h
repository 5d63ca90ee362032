/* SPDX-License-Identifier: MIT */
/*
 * What a write does to a layer's sources: a list of exchanges in the tree, one source for another; then come the pool,
 * the question whether the write is accepted, and the rows. A write that is refused takes its exchanges back, which
 * gives the tree the same bits as before, because they depend on the names and their totals alone.
 */
#pragma once

#include "storage/apply.h"

/* One source in the place of another; NULL: none. */
struct exchanged {
	struct source *before, *now;
};

/* Set those before `tree`, and zero the rest. */
struct moves {
	struct batch *batch;
	struct working *w;
	const struct store_write *write;
	bool pools_once; /* after the last exchange, not after each: for many, and where a pool in between overflows */
	struct source_tree *tree;
	struct exchanged *list; /* in their order */
	size_t count;
};

/* Begins a write of at most `max` exchanges. A failure leaves nothing to end. */
int moves_begin(struct moves *m, size_t features, size_t max, struct err *e) MUST_CHECK;

/* A source of the write's time. NULL with `e`. */
struct source *moves_new_source(const struct moves *m, const char *name, struct err *e) MUST_CHECK;

/* Puts `source` (NULL: none) in the place of the one of this name, and takes it over. */
int moves_exchange(struct moves *m, const char *name, struct source *source, struct err *e) MUST_CHECK;

/* Ends a write. `result` -1: it is refused already. `batches`: as many more were tracked. */
int moves_end(struct moves *m, int result, unsigned ddof, uint64_t batches, struct err *e) MUST_CHECK;
