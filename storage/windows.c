/* SPDX-License-Identifier: MIT */
#include "storage/windows.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "storage/snapshot.h"

/* Windows may take one part of the cache's bytes of so many, unless the options say otherwise. */
#define CACHE_PART 8

#define BUCKETS_FIRST ((size_t)256)

/* Of the store thread's time, slices take one part in PAUSE_PARTS + 1 at most, unless bytes lack. */
#define PAUSE_PARTS 4

/* Rounds that begin early write so much on average: a megabyte in about 30 ms. */
#define EARLY_BYTES_PER_US 32

/* Where the interval is shorter, an idle store still looks no more often. */
#define LOOK_LEAST_US ((uint64_t)100000)

/* After a failure, the next try is no earlier. */
#define REST_LEAST_US ((uint64_t)1000000)

void
windows_init(struct windows *w, const struct store_options *options, struct cache *cache)
{
	memset(w, 0, sizeof(*w));
	w->bytes_max =
	    options->windows_bytes_max != 0 ? options->windows_bytes_max : options->cache_bytes_max / CACHE_PART;
	w->interval_us = options->windows_interval_us != 0 ? options->windows_interval_us : STORE_WINDOWS_INTERVAL_US;
	w->cache = cache;
	w->last = &w->first;
	w->due_us = clock_monotonic_us() + w->interval_us;
	atomic_init(&w->fresh, NULL);
	atomic_init(&w->bytes, 0);
	atomic_init(&w->left_out, 0);
	atomic_init(&w->urgent, false);
	metrics_set(METRIC_WINDOWS, 0, 0);
}

/* ---- any thread */

static void
wake_thread(struct windows *w)
{
	if (!atomic_load(&w->urgent) && !atomic_exchange(&w->urgent, true))
		w->wake(w->wake_arg);
}

/* One window may take more than there is, so that layers of any size have one. */
bool
windows_take_bytes(struct windows *w, size_t bytes)
{
	const size_t before = atomic_fetch_add(&w->bytes, bytes);

	if (before + bytes > w->bytes_max)
		wake_thread(w);
	if (before == 0 || before + bytes <= 2 * w->bytes_max)
		return true;
	windows_leave_out(w, bytes);
	return false;
}

void
windows_give_bytes(struct windows *w, size_t bytes)
{
	atomic_fetch_sub(&w->bytes, bytes);
}

void
windows_leave_out(struct windows *w, size_t bytes)
{
	windows_give_bytes(w, bytes);
	atomic_fetch_add(&w->left_out, 1);
	metrics_count(METRIC_WINDOWS_LEFT_OUT);
}

size_t
windows_bytes(const struct windows *w)
{
	return atomic_load(&w->bytes);
}

void
windows_list(struct windows *w, struct window *window, const struct layer_identity *identity)
{
	window->identity = layer_identity_ref(identity);
	window->identity_bytes = layer_identity_bytes(identity);
	atomic_fetch_add(&w->bytes, window->identity_bytes);
	window->next = atomic_load(&w->fresh);
	while (!atomic_compare_exchange_weak(&w->fresh, &window->next, window))
		;
}

bool
windows_are_urgent(const struct windows *w)
{
	return atomic_load(&w->urgent) && clock_monotonic_us() >= w->not_before_us;
}

/* ---- the table */

static struct window **
bucket_of(const struct windows *w, int64_t layer_id)
{
	return &w->buckets[(uint64_t)layer_id * UINT64_C(0x9E3779B97F4A7C15) >> 32 & (w->bucket_count - 1)];
}

/* Makes a table of twice as many buckets. Without memory it stays: only slower, or searched as a list. */
static void
grow(struct windows *w)
{
	const size_t count = w->buckets == NULL ? BUCKETS_FIRST : 2 * w->bucket_count;
	struct window **buckets, **bucket;

	if (w->buckets != NULL && w->count < w->bucket_count)
		return;
	buckets = calloc(count, sizeof(struct window *));
	if (buckets == NULL)
		return;
	free(w->buckets);
	w->buckets = buckets;
	w->bucket_count = count;
	for (struct window *window = w->first; window != NULL; window = window->next) {
		bucket = bucket_of(w, window->identity->id);
		window->chain = *bucket;
		*bucket = window;
	}
}

static void
append(struct windows *w, struct window *window)
{
	struct window **bucket;

	grow(w);
	if (w->buckets != NULL) {
		bucket = bucket_of(w, window->identity->id);
		window->chain = *bucket;
		*bucket = window;
	}
	window->next = NULL;
	*w->last = window;
	w->last = &window->next;
	w->count++;
}

static struct window *
remove_first(struct windows *w)
{
	struct window *window = w->first, **link;

	w->first = window->next;
	if (w->first == NULL)
		w->last = &w->first;
	w->count--;
	if (w->buckets == NULL)
		return window;
	for (link = bucket_of(w, window->identity->id); *link != window; link = &(*link)->chain)
		;
	*link = window->chain;
	return window;
}

/* Tells the cache how much it has lent, and the metrics how many windows there are. */
static void
settle(struct windows *w)
{
	const size_t bytes = atomic_load(&w->bytes);

	cache_lend(w->cache, w->lent, bytes);
	w->lent = bytes;
	metrics_set(METRIC_WINDOWS, 0, (double)w->count);
}

/* Takes over what threads have listed, in the order in which they did. */
static void
gather(struct windows *w)
{
	struct window *fresh = atomic_exchange(&w->fresh, NULL), *first = NULL, *next;

	for (; fresh != NULL; fresh = next) {
		next = fresh->next;
		fresh->next = first;
		first = fresh;
	}
	for (; first != NULL; first = next) {
		next = first->next;
		append(w, first);
	}
	settle(w);
}

/* The first of the queue has been saved, or dropped: without new values it leaves, else it waits for its next turn. */
static void
retire_first(struct windows *w)
{
	struct window *window = remove_first(w);
	const struct layer_identity *identity = window->identity;
	const size_t bytes = window->identity_bytes;

	if (!window_leave(window)) {
		append(w, window);
		return;
	}
	/* A thread that lists it anew has a reference of its own. */
	windows_give_bytes(w, bytes);
	layer_identity_unref(identity);
}

void
windows_fini(struct windows *w)
{
	if (w->cache == NULL)
		return;
	gather(w);
	while (w->first != NULL) {
		window_part_free(w, window_take(w->first));
		retire_first(w);
	}
	free(w->buckets);
}

/* ---- rounds */

uint64_t
windows_wake_us(const struct windows *w)
{
	const uint64_t least = w->looked_us + LOOK_LEAST_US;
	const uint64_t due = w->due_us > w->not_before_us ? w->due_us : w->not_before_us;

	if (atomic_load(&w->urgent))
		return w->not_before_us;
	return w->round_left == 0 && due < least ? least : due;
}

/* The queue as it is becomes a round. */
static bool
begin_round(struct windows *w)
{
	gather(w);
	w->round_left = w->count;
	return w->count > 0;
}

/* A round is over, or there was none to begin. */
static void
end_round(struct windows *w)
{
	const size_t left_out = atomic_exchange(&w->left_out, 0);
	const uint64_t now = clock_monotonic_us();
	const struct log_field fields[] = { { .name = "calls", .number = (double)left_out } };

	w->due_us = now + w->interval_us;
	if (atomic_exchange(&w->urgent, false))
		w->not_before_us = now + w->round_bytes / EARLY_BYTES_PER_US;
	w->round_bytes = 0;
	if (left_out > 0)
		log_event(LOG_WARN, "not enough memory for windows of inference: they lack the values of some calls",
		    fields, 1);
}

bool
windows_are_due(struct windows *w)
{
	const uint64_t now = clock_monotonic_us();

	if (now < w->not_before_us || (now < w->due_us && !atomic_load(&w->urgent)))
		return false;
	w->looked_us = now;
	if (w->round_left > 0 || begin_round(w))
		return true;
	end_round(w);
	return false;
}

bool
windows_have_failed(const struct windows *w)
{
	return w->failed;
}

void
windows_hurry(struct windows *w)
{
	w->hurries = true;
	w->due_us = w->not_before_us = 0;
	(void)begin_round(w);
}

bool
windows_take(struct windows *w)
{
	size_t bytes = 0;

	if (w->taken_count == 0)
		w->slice_began_us = clock_monotonic_us();
	for (size_t i = 0; i < w->taken_count; i++)
		bytes += w->taken[i].part != NULL ? w->taken[i].part->bytes : 0;
	if (w->round_left == 0 || w->taken_count == WINDOWS_SLICE || bytes >= WINDOWS_SLICE_BYTES)
		return false;
	w->taken[w->taken_count].window = w->taken_count == 0 ? w->first : w->taken[w->taken_count - 1].window->next;
	w->taken[w->taken_count].part = window_take(w->taken[w->taken_count].window);
	w->taken_count++;
	w->round_left--;
	return true;
}

void
windows_end_slice(struct windows *w, bool saved)
{
	const uint64_t now = clock_monotonic_us();

	for (size_t i = 0; i < w->taken_count; i++) {
		w->round_bytes += saved && w->taken[i].part != NULL ? w->taken[i].part->bytes : 0;
		if (saved)
			window_part_free(w, w->taken[i].part);
		else if (w->taken[i].part != NULL)
			window_put_back(w->taken[i].window, w->taken[i].part);
	}
	w->failed = !saved;
	if (saved) {
		while (w->taken_count > 0) {
			retire_first(w);
			w->taken_count--;
		}
		w->not_before_us = 0;
		w->due_us = now + (w->hurries || atomic_load(&w->urgent) ? 0 : PAUSE_PARTS * (now - w->slice_began_us));
		if (w->round_left == 0)
			end_round(w);
	} else {
		w->round_left += w->taken_count;
		w->taken_count = 0;
		w->not_before_us = now + (w->interval_us > REST_LEAST_US ? w->interval_us : REST_LEAST_US);
	}
	settle(w);
}

/* ---- what came to a layer */

void
windows_of_layer(struct windows *w, int64_t layer_id, void (*each)(void *arg, struct window *window), void *arg)
{
	struct window *window;

	gather(w);
	for (window = w->buckets != NULL ? *bucket_of(w, layer_id) : w->first; window != NULL;
	     window = w->buckets != NULL ? window->chain : window->next)
		if (window->identity->id == layer_id)
			each(arg, window);
}

static void
clear(void *arg, struct window *window)
{
	window_part_free(arg, window_take(window));
}

void
windows_clear(struct windows *w, int64_t layer_id)
{
	windows_of_layer(w, layer_id, clear, w);
}

/* Looks at every window, because switches are rare. */
void
windows_clear_model(struct windows *w, const char *model)
{
	gather(w);
	for (struct window *window = w->first; window != NULL; window = window->next)
		if (strcmp(window->identity->model, model) == 0)
			clear(w, window);
}
