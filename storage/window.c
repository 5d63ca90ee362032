/* SPDX-License-Identifier: MIT */
#include "storage/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/snapshot.h"
#include "storage/windows.h"

void
window_init(struct window *w, struct windows *windows)
{
	w->windows = windows;
	atomic_init(&w->aside, NULL);
	pthread_mutex_init(&w->lock, NULL);
	w->part = NULL;
	w->listed = false;
}

static void
free_parts(struct windows *windows, struct window_part *first)
{
	struct window_part *next;

	for (struct window_part *part = first; part != NULL; part = next) {
		next = part->next;
		window_part_free(windows, part);
	}
}

void
window_fini(struct window *w)
{
	free_parts(w->windows, atomic_load(&w->aside));
	window_part_free(w->windows, w->part);
	pthread_mutex_destroy(&w->lock);
}

static void
take_moments(struct statistics *s, const struct moments *m)
{
	s->count = m->count;
	memcpy(s->mean, m->mean, s->features * sizeof(double));
	memcpy(s->var, m->var, s->features * sizeof(double));
}

/* NULL: no memory, or no room. */
static struct window_part *
part_new(struct windows *windows, size_t features, const struct moments *m)
{
	const size_t bytes = sizeof(struct window_part) + 2 * features * sizeof(double);
	struct window_part *part;
	double *values;

	if (!windows_take_bytes(windows, bytes))
		return NULL;
	part = malloc(bytes);
	if (part == NULL) {
		windows_leave_out(windows, bytes);
		return NULL;
	}
	values = (double *)(part + 1);
	*part = (struct window_part){ .bytes = bytes, .since_s = clock_realtime_s() };
	part->now = (struct statistics){ .features = features, .mean = values, .var = values + features };
	take_moments(&part->now, m);
	return part;
}

void
window_part_free(struct windows *windows, struct window_part *part)
{
	if (part == NULL)
		return;
	windows_give_bytes(windows, part->bytes);
	free(part);
}

void
window_merge(struct statistics *s, const struct moments *came)
{
	const struct update u = { .averaging = AVERAGING_POOLED,
		.count = came->count,
		.features = s->features,
		.mean = came->mean,
		.var = came->var };
	struct statistics merged = *s;

	s->num_batches_tracked = 0; /* a count of merges that nobody needs must not end them */
	if (update_apply(s, &u, &merged) == UPDATE_APPLIED)
		*s = merged;
	else
		take_moments(s, came);
}

static struct moments
moments_of(const struct window_part *part)
{
	return (struct moments){ part->now.count, part->now.mean, part->now.var };
}

static void
merge_locked(struct window *w, const struct layer_identity *identity, size_t features, const struct moments *m)
{
	if (w->part != NULL) {
		if (w->part->now.features == features)
			window_merge(&w->part->now, m);
		return;
	}
	w->part = part_new(w->windows, features, m);
	if (w->part == NULL || w->listed)
		return;
	w->listed = true;
	windows_list(w->windows, w, identity);
}

/* In the order in which they came. */
static void
merge_aside_locked(struct window *w, const struct layer_identity *identity)
{
	struct window_part *aside = atomic_exchange(&w->aside, NULL), *first = NULL, *next;
	struct moments m;

	for (; aside != NULL; aside = next) {
		next = aside->next;
		aside->next = first;
		first = aside;
	}
	for (const struct window_part *part = first; part != NULL; part = part->next) {
		m = moments_of(part);
		merge_locked(w, identity, part->now.features, &m);
	}
	free_parts(w->windows, first);
}

/*
 * Unlocks, and merges what was put aside meanwhile by threads that found the lock taken and do not come back.
 * Exchanging NULL for NULL, unlike a load, has one order with put_aside for all threads: a thread that puts aside after
 * it finds the lock open.
 */
static void
unlock(struct window *w, const struct layer_identity *identity)
{
	struct window_part *none;

	do {
		pthread_mutex_unlock(&w->lock);
		none = NULL;
		if (atomic_compare_exchange_strong(&w->aside, &none, NULL) || pthread_mutex_trylock(&w->lock) != 0)
			return;
		merge_aside_locked(w, identity);
	} while (true);
}

static void
put_aside(struct window *w, struct window_part *part)
{
	part->next = atomic_load(&w->aside);
	while (!atomic_compare_exchange_weak(&w->aside, &part->next, part))
		;
}

void
window_add(struct window *w, const struct layer_identity *identity, size_t features, const struct moments *m)
{
	struct window_part *part;

	if (w->windows == NULL || features == 0 || m->count == 0)
		return;
	if (pthread_mutex_trylock(&w->lock) != 0) {
		part = part_new(w->windows, features, m);
		if (part == NULL)
			return;
		put_aside(w, part);
		if (pthread_mutex_trylock(&w->lock) != 0)
			return;
		merge_aside_locked(w, identity);
	} else {
		merge_locked(w, identity, features, m);
	}
	unlock(w, identity);
}

struct window_part *
window_take(struct window *w)
{
	struct window_part *part;

	pthread_mutex_lock(&w->lock);
	merge_aside_locked(w, w->identity);
	part = w->part;
	w->part = NULL;
	unlock(w, w->identity);
	return part;
}

void
window_put_back(struct window *w, struct window_part *part)
{
	struct window_part *later;
	struct moments m;

	pthread_mutex_lock(&w->lock);
	later = w->part;
	w->part = part;
	if (later != NULL) {
		m = moments_of(later);
		merge_locked(w, w->identity, later->now.features, &m);
	}
	unlock(w, w->identity);
	window_part_free(w->windows, later);
}

bool
window_leave(struct window *w)
{
	bool leaves;

	pthread_mutex_lock(&w->lock);
	merge_aside_locked(w, w->identity);
	leaves = w->part == NULL;
	w->listed = !leaves;
	/* What is put aside now finds the lock free, or is seen to by unlock: then it lists the window anew. */
	unlock(w, w->identity);
	return leaves;
}

void
window_look(struct window *w, struct statistics *s, int64_t *since_s)
{
	struct moments m;

	pthread_mutex_lock(&w->lock);
	merge_aside_locked(w, w->identity);
	if (w->part != NULL && w->part->now.features == s->features) {
		m = moments_of(w->part);
		window_merge(s, &m);
		if (*since_s == 0 || w->part->since_s < *since_s)
			*since_s = w->part->since_s;
	}
	unlock(w, w->identity);
}
