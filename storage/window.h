/* SPDX-License-Identifier: MIT */
/*
 * What came to a layer's window since it was saved: part of the layer's identity, so that adding to it looks nothing
 * up.
 *
 * A thread that adds only tries the lock. If it is taken, the thread puts a copy aside, and the thread that has the
 * lock, or has it next, merges the copy. Only the store's thread waits for the lock. With its first values a window
 * gets into the list of those that are not saved (storage/windows.h), which holds a reference to the identity. So the
 * identity lives while there are values.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "storage/store.h"

struct windows;

/* Values that were added, as their moments. One block of memory. */
struct window_part {
	struct window_part *next; /* of those put aside */
	int64_t since_s;          /* when the first value came */
	struct statistics now;    /* pooled: count, mean and biased variance */
	size_t bytes;
};

struct window {
	struct windows *windows; /* NULL: of no store, and nothing is added */
	_Atomic(struct window_part *) aside;

	/* Guarded by `lock`. */
	pthread_mutex_t lock;
	struct window_part *part; /* NULL: nothing came */
	bool listed;

	/* While it is listed, the list's. */
	const struct layer_identity *identity; /* with a reference */
	size_t identity_bytes;
	struct window *next, *chain;
};

void window_init(struct window *w, struct windows *windows);
/* Once no thread adds any more: with the identity. */
void window_fini(struct window *w);

/* See store_window_add. */
void window_add(struct window *w, const struct layer_identity *identity, size_t features, const struct moments *m);

/* For the store's thread. Takes what came, which is the caller's then; NULL: nothing. */
struct window_part *window_take(struct window *w);

/* Puts back what was taken. */
void window_put_back(struct window *w, struct window_part *part);

/*
 * The caller has taken the window out of the list. True: nothing came meanwhile, and the caller gives the list's
 * reference back; another thread may list the window anew at once. False: it has values, and the caller lists it again.
 */
bool window_leave(struct window *w);

/* Merges what came into *s, if it has as many features. *since_s: when the first value came, if that was before (0:
 * never). */
void window_look(struct window *w, struct statistics *s, int64_t *since_s);

void window_part_free(struct windows *windows, struct window_part *part); /* NULL is fine */

/* Merges what came into *s. Where that is impossible, because *s has too large numbers, it becomes what came. */
void window_merge(struct statistics *s, const struct moments *came);
