/* SPDX-License-Identifier: MIT */
#include "handlers/usage.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"

/* The version of a place that is a mark. No version has this number. */
#define MARK UINT64_MAX

/* No place. */
#define NONE UINT32_MAX

/* How many places are looked at while the lock is held. */
#define STRIDE ((size_t)256)

/* A place is free, or a model's mark, or has the counters of a model and a version. Places are named by their index. */
struct place {
	struct usage_entry entry; /* with an empty name: the place is free */
	uint64_t hash;
	uint32_t next;         /* in the bucket, or in the list of free places */
	uint32_t newer, older; /* of counters, in the order of use */
};

struct usage {
	uint64_t seed;              /* immutable */
	uint32_t place_count;       /* immutable */
	uint32_t bucket_mask;       /* immutable */
	atomic_uint_fast32_t marks; /* changed under the lock; calls look whether there are any without it */

	/* Guarded by `lock`. */
	pthread_mutex_t lock;
	uint32_t *buckets;
	uint32_t used; /* the places from here on were never used */
	uint32_t free;
	uint32_t newest, oldest;
	uint64_t deleted; /* models */
	struct place places[];
};

/* A key of the table, with its hash. */
struct key {
	const char *model;
	uint64_t version;
	uint64_t hash;
};

static struct key
make_key(const struct usage *u, const char *model, uint64_t version)
{
	return (struct key){ model, version, hash_fold(hash_text(HASH_START ^ u->seed, model) + version) };
}

static bool
is_of(const struct place *p, const struct key *key)
{
	return p->hash == key->hash && p->entry.version == key->version && strcmp(p->entry.model, key->model) == 0;
}

struct usage *
usage_new(size_t places)
{
	struct usage *u = calloc(1, sizeof(*u) + places * sizeof(struct place));
	uint32_t buckets = 1;

	if (u == NULL)
		return NULL;
	assert(places >= 2 && places < NONE);
	while (buckets < places)
		buckets *= 2;
	u->buckets = malloc(buckets * sizeof(*u->buckets));
	if (u->buckets == NULL) {
		free(u);
		return NULL;
	}
	memset(u->buckets, 0xff, buckets * sizeof(*u->buckets)); /* NONE */
	u->bucket_mask = buckets - 1;
	u->place_count = (uint32_t)places;
	u->free = u->newest = u->oldest = NONE;
	/* Early in the boot there may be no entropy; the table also works with seed 0. */
	if (getrandom(&u->seed, sizeof(u->seed), GRND_NONBLOCK) < 0)
		u->seed = 0;
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

void
usage_free(struct usage *u)
{
	if (u == NULL)
		return;
	pthread_mutex_destroy(&u->lock);
	free(u->buckets);
	free(u);
}

/* The link to the key's place; else the bucket's last link. */
static uint32_t *
find_link_locked(struct usage *u, const struct key *key)
{
	uint32_t *link = &u->buckets[key->hash & u->bucket_mask];

	while (*link != NONE && !is_of(&u->places[*link], key))
		link = &u->places[*link].next;
	return link;
}

/* Takes counters out of the order of use. */
static void
take_out_locked(struct usage *u, const struct place *p)
{
	if (p->newer != NONE)
		u->places[p->newer].older = p->older;
	else
		u->newest = p->older;
	if (p->older != NONE)
		u->places[p->older].newer = p->newer;
	else
		u->oldest = p->newer;
}

static void
make_newest_locked(struct usage *u, uint32_t at)
{
	struct place *p = &u->places[at];

	p->newer = NONE;
	p->older = u->newest;
	if (u->newest != NONE)
		u->places[u->newest].newer = at;
	else
		u->oldest = at;
	u->newest = at;
}

/* Frees the place that the link points to. */
static void
remove_locked(struct usage *u, uint32_t *link)
{
	const uint32_t at = *link;
	struct place *p = &u->places[at];

	if (p->entry.version == MARK)
		atomic_fetch_sub_explicit(&u->marks, 1, memory_order_release);
	else
		take_out_locked(u, p);
	*link = p->next;
	p->entry = (struct usage_entry){ .model = "" };
	p->next = u->free;
	u->free = at;
}

static void
remove_place_locked(struct usage *u, const struct place *p)
{
	const struct key key = { p->entry.model, p->entry.version, p->hash };

	remove_locked(u, find_link_locked(u, &key));
}

/* A free place. At most half of the places are marks, so where all are taken there are counters to forget. */
static uint32_t
get_free_locked(struct usage *u)
{
	uint32_t at;

	if (u->free == NONE && u->used < u->place_count)
		return u->used++;
	if (u->free == NONE)
		remove_place_locked(u, &u->places[u->oldest]);
	at = u->free;
	u->free = u->places[at].next;
	return at;
}

/* Makes a place for a key that has none. */
static uint32_t
add_locked(struct usage *u, const struct key *key)
{
	const uint32_t at = get_free_locked(u);
	struct place *p = &u->places[at];
	uint32_t *link = find_link_locked(u, key); /* after a place may have been freed, which changes links */

	*p = (struct place){ .entry.version = key->version, .hash = key->hash, .next = *link };
	memcpy(p->entry.model, key->model, strnlen(key->model, STORE_NAME_MAX));
	*link = at;
	return at;
}

static void
count(struct usage_counts *c, const struct usage_call *call, int64_t now_ms)
{
	if (!call->succeeded) {
		c->failed++;
		c->fail_ns += call->total_ns;
		return;
	}
	c->succeeded++;
	c->success_ns += call->total_ns;
	c->queue_ns += call->queue_ns;
	c->input_ns += call->input_ns;
	c->infer_ns += call->infer_ns;
	c->output_ns += call->output_ns;
	c->last_ms = now_ms > c->last_ms ? now_ms : c->last_ms;
}

void
usage_note(struct usage *u, const char *model, uint64_t version, const struct usage_call *call)
{
	const int64_t now_ms = clock_realtime_ms();
	const struct key key = make_key(u, model, version);
	uint32_t at;

	pthread_mutex_lock(&u->lock);
	at = *find_link_locked(u, &key);
	if (at == NONE)
		at = add_locked(u, &key);
	else
		take_out_locked(u, &u->places[at]);
	make_newest_locked(u, at);
	count(&u->places[at].entry.counts, call, now_ms);
	pthread_mutex_unlock(&u->lock);
}

void
usage_get(struct usage *u, const char *model, uint64_t version, struct usage_counts *out)
{
	const struct key key = make_key(u, model, version);
	uint32_t at;

	*out = (struct usage_counts){ 0 };
	pthread_mutex_lock(&u->lock);
	at = *find_link_locked(u, &key);
	if (at != NONE)
		*out = u->places[at].entry.counts;
	pthread_mutex_unlock(&u->lock);
}

size_t
usage_places_used(struct usage *u)
{
	size_t used;

	pthread_mutex_lock(&u->lock);
	used = u->used;
	pthread_mutex_unlock(&u->lock);
	return used;
}

/* Whether a place is taken, and by the model (NULL: by any). */
static bool
is_taken(const struct place *p, const char *model)
{
	return p->entry.model[0] != '\0' && (model == NULL || strcmp(p->entry.model, model) == 0);
}

/* Where a pass over the places, which has come to `at`, lets go of the lock. */
static size_t
end_of_stride_locked(const struct usage *u, size_t at)
{
	return at + STRIDE < u->used ? at + STRIDE : u->used;
}

size_t
usage_list(struct usage *u, const char *model, size_t *at, struct usage_entry *out, size_t max)
{
	size_t n = 0, end;

	pthread_mutex_lock(&u->lock);
	for (end = end_of_stride_locked(u, *at); *at < end && n < max; (*at)++) {
		const struct place *p = &u->places[*at];

		if (is_taken(p, model) && p->entry.version != MARK)
			out[n++] = p->entry;
	}
	if (*at >= u->used)
		*at = USAGE_END;
	pthread_mutex_unlock(&u->lock);
	return n;
}

uint64_t
usage_deleted(struct usage *u)
{
	uint64_t deleted;

	pthread_mutex_lock(&u->lock);
	deleted = u->deleted;
	pthread_mutex_unlock(&u->lock);
	return deleted;
}

int
usage_unload(struct usage *u, const char *model, uint64_t deleted, bool *stale, struct err *e)
{
	const struct key key = make_key(u, model, MARK);
	bool unloaded, has_room;

	pthread_mutex_lock(&u->lock);
	*stale = u->deleted != deleted;
	unloaded = *find_link_locked(u, &key) != NONE;
	has_room = atomic_load_explicit(&u->marks, memory_order_relaxed) < u->place_count / 2;
	if (!*stale && !unloaded && has_room) {
		(void)add_locked(u, &key);
		atomic_fetch_add_explicit(&u->marks, 1, memory_order_release);
	}
	pthread_mutex_unlock(&u->lock);
	if (*stale || unloaded || has_room)
		return 0;
	return err_fail(e, ERR_OVERLOADED,
	    "%" PRIu32 " models are unloaded, which is the most: load some of them first", u->place_count / 2);
}

void
usage_load(struct usage *u, const char *model)
{
	const struct key key = make_key(u, model, MARK);
	uint32_t *link;

	pthread_mutex_lock(&u->lock);
	link = find_link_locked(u, &key);
	if (*link != NONE)
		remove_locked(u, link);
	pthread_mutex_unlock(&u->lock);
}

bool
usage_is_unloaded(struct usage *u, const char *model)
{
	struct key key;
	bool unloaded;

	if (atomic_load_explicit(&u->marks, memory_order_acquire) == 0)
		return false;
	key = make_key(u, model, MARK);
	pthread_mutex_lock(&u->lock);
	unloaded = *find_link_locked(u, &key) != NONE;
	pthread_mutex_unlock(&u->lock);
	return unloaded;
}

int
usage_check_loaded(struct usage *u, const char *model, struct err *e)
{
	if (!usage_is_unloaded(u, model))
		return 0;
	return err_fail(e, ERR_NO_SUCH_MODEL,
	    "model \"%s\" is unloaded: POST /v2/repository/models/%s/load makes it ready again", model, model);
}

void
usage_forget(struct usage *u, const char *model)
{
	size_t at = 0, end;
	bool more = true;

	while (more) {
		pthread_mutex_lock(&u->lock);
		u->deleted += at == 0;
		for (end = end_of_stride_locked(u, at); at < end; at++)
			if (is_taken(&u->places[at], model))
				remove_place_locked(u, &u->places[at]);
		more = at < u->used;
		pthread_mutex_unlock(&u->lock);
	}
}
