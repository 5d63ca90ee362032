/* SPDX-License-Identifier: MIT */
/*
 * The windows that are not saved. Threads that add put a window into a list, without a lock, when its first values
 * come; the store's thread takes that list over into its queue and its table by layer. It saves the queue in rounds, at
 * an interval, and each round in slices, so that no change waits long for one. What is saved leaves memory.
 *
 * Their bytes are lent by the cache. Beyond bytes_max a round begins at once; what would take twice that is left out.
 */
#pragma once

#include "storage/cache.h"
#include "storage/window.h"

/* The most windows that a slice saves, and the bytes after which it ends. */
#define WINDOWS_SLICE ((size_t)100)
#define WINDOWS_SLICE_BYTES ((size_t)1 << 20)

/* A window of a slice, and what was taken of it. */
struct window_taken {
	struct window *window;
	struct window_part *part;
};

struct windows {
	/* Immutable. */
	size_t bytes_max;
	uint64_t interval_us;
	void (*wake)(void *arg); /* the store's thread; any thread calls it */
	void *wake_arg;
	struct cache *cache;

	/* Any thread's. */
	_Atomic(struct window *) fresh;
	atomic_size_t bytes;
	atomic_size_t left_out; /* how often values were */
	atomic_bool urgent;     /* the bytes are beyond bytes_max: the thread was woken */

	/* The store thread's. */
	struct window *first, **last; /* the queue */
	size_t count;
	struct window **buckets; /* NULL: not yet, or no memory */
	size_t bucket_count;     /* a power of two */
	size_t round_left;       /* the windows of this round that are not saved yet: the first ones of the queue */
	uint64_t due_us;         /* the next round, or slice */
	uint64_t not_before_us;  /* after a failure, or an early round */
	bool failed;             /* the last slice could not be saved */
	size_t round_bytes;      /* that the round has saved so far */
	bool hurries;            /* the store closes: slices follow each other */
	uint64_t looked_us, slice_began_us;
	size_t lent;
	struct window_taken taken[WINDOWS_SLICE];
	size_t taken_count;
};

/* `options` give bytes_max and interval_us. */
void windows_init(struct windows *w, const struct store_options *options, struct cache *cache);
/* Drops what is not saved. A zeroed struct is fine. */
void windows_fini(struct windows *w);

/* ---- any thread */

/* How many bytes are taken. */
size_t windows_bytes(const struct windows *w);

/* Takes bytes for values. False: there is no room; they are left out. */
bool windows_take_bytes(struct windows *w, size_t bytes) MUST_CHECK;
void windows_give_bytes(struct windows *w, size_t bytes);
/* Gives back what was taken for values that there is no memory for. */
void windows_leave_out(struct windows *w, size_t bytes);

/* Adds a window to the list. Takes a reference to the identity. */
void windows_list(struct windows *w, struct window *window, const struct layer_identity *identity);

/* ---- the store's thread */

/* Whether a round must begin early, so that the thread must not wait for operations. */
bool windows_are_urgent(const struct windows *w);

/* When it has to look at the latest. */
uint64_t windows_wake_us(const struct windows *w);

/* Whether a slice is due; begins a round if that is. */
bool windows_are_due(struct windows *w);

/* Whether the last slice could not be saved. */
bool windows_have_failed(const struct windows *w);

/* The store closes: all that is not saved yet is due, as a last round without pauses. */
void windows_hurry(struct windows *w);

/* Takes the next window of the round into the slice: the last of w->taken. False: the slice is full, or the round over.
 */
bool windows_take(struct windows *w);

/* The slice has ended. What was not saved goes back. */
void windows_end_slice(struct windows *w, bool saved);

/* Calls `each` for every window of a layer. */
void windows_of_layer(struct windows *w, int64_t layer_id, void (*each)(void *arg, struct window *window), void *arg);

/* Forgets what came to a layer's windows; to those of all layers of a model. */
void windows_clear(struct windows *w, int64_t layer_id);
void windows_clear_model(struct windows *w, const char *model);
