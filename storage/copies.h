/* SPDX-License-Identifier: MIT */
/*
 * Backups: the operations that wait for a copy of the store. One copy is made at a time. All who ask meanwhile get the
 * same copy: it holds what is committed when it ends, so all that they can know of. The store's thread calls all
 * functions except start and stop; references to copies are given back on any thread.
 */
#pragma once

#include <pthread.h>

#include "storage/backend.h"

struct copies {
	struct backend *backend;
	struct store_op *first, **last; /* the operations that wait; none: no copy is made */
	struct copy_block *copy;        /* the copy that they get when it is whole; NULL: not begun yet */
	uint64_t copied_bytes;          /* written to its file */
	bool far_ahead;                 /* of the disk, so it waits */
	uint64_t busy_us;               /* when the store last had other work */

	/* The thread that writes the growing copy to the disk, and gives back the disk's space. Guarded by `lock`: */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct copy_block *growing; /* the copy, while it is made; NULL: none */
	uint64_t grown_bytes;       /* of it, from its start */
	uint64_t on_disk_bytes;     /* of those */
	bool gently;                /* the store needs the disk too */
	struct copy_block *unused;  /* copies without references */
	unsigned copies;            /* that are on the disk */
	bool stopping;
};

int copies_start(struct copies *b, struct backend *backend, struct err *e) MUST_CHECK;

/* After the last copy was given back. */
void copies_stop(struct copies *b);

/* Takes over the operation until it is done. It fails (overloaded) while too many earlier copies are still read. */
void copies_ask(struct copies *b, struct store_op *op);

/* Whether a copy is being made. */
bool copies_runs(const struct copies *b);

/* The pause before its next piece while there are no operations. */
uint64_t copies_pause_us(struct copies *b);

/*
 * Does a short piece of the work, outside of transactions, after the store has spent `spent_us` on other work. After
 * the last piece, or one that fails, all operations that wait are done.
 */
void copies_work(struct copies *b, uint64_t spent_us);

/* Gives up the copy, if one is made: the operations fail with shutting_down. */
void copies_abandon(struct copies *b);
