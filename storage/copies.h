/* SPDX-License-Identifier: MIT */
/*
 * Backups: who waits for a copy of the store. One copy is made at a time, and all who ask meanwhile get the same: it
 * has what is committed when it ends, so also all that they could know of. The store's thread calls all of this but
 * start and stop; copies are given back on any.
 */
#ifndef STORAGE_COPIES_H
#define STORAGE_COPIES_H

#include <pthread.h>

#include "storage/backend.h"

struct copies {
	struct backend *backend;
	struct store_op *first, **last; /* who waits; none: no copy is wanted */
	struct copy_block *copy;        /* what they get, once it is whole; NULL: not begun yet */
	uint64_t copied_bytes;          /* of its file, which are written */
	bool far_ahead;                 /* of the disk: it waits */
	uint64_t busy_us;               /* when the store was last seen to have other work */

	/* The thread that writes the growing copy to the disk, and gives back the disk's space. Guarded by `lock`: */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct copy_block *growing; /* the copy, while it is made; NULL: none */
	uint64_t grown_bytes;       /* of it, from its start */
	uint64_t on_disk_bytes;     /* of those */
	bool gently;                /* the store needs the disk as well */
	struct copy_block *unused;  /* copies that nobody refers to any more */
	unsigned copies;            /* that are on the disk */
	bool stopping;
};

int copies_start(struct copies *b, struct backend *backend, struct err *e) MUST_CHECK;

/* After the last copy was given back. */
void copies_stop(struct copies *b);

/*
 * Takes over the operation until it is done. Refused (overloaded) while too many earlier copies are still being read.
 */
void copies_ask(struct copies *b, struct store_op *op);

/* Whether a copy is being made, so that there is something to do without operations. */
bool copies_runs(const struct copies *b);

/* How long to wait before its next piece is begun, while there are no operations. */
uint64_t copies_pause_us(struct copies *b);

/*
 * A short piece of the work, outside of transactions, after the store has spent `spent_us` on other work. Where it is
 * the last, or fails, all who wait are told.
 */
void copies_work(struct copies *b, uint64_t spent_us);

/* Gives up the copy that is being made: shutting_down to all who wait for it. */
void copies_abandon(struct copies *b);

#endif
