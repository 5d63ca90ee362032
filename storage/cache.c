/* SPDX-License-Identifier: MIT */
#include "storage/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "storage/snapshot.h"
#include "storage/names.h"

#define BUCKETS_FIRST ((size_t)1024)

/* The place of a pointer's key where a snapshot's has its version. No version has this number. */
#define POINTER UINT64_MAX

/* A snapshot or a pointer. */
struct entry {
	const char *model, *name; /* the snapshot's identity's, or `names` */
	uint64_t version;         /* or POINTER */
	const struct snapshot *layer;
	struct pointer pointer;
	uint64_t asked_us; /* when the database was last asked for it */
	uint64_t hash;
	struct entry *chain;         /* the next of its bucket */
	struct entry *newer, *older; /* by use */
	char names[];                /* of a pointer */
};

/* All fields are guarded by `lock`, but max_age_us, which never changes, and what is said to be another's. */
struct cache {
	pthread_mutex_t lock;
	bool publishes;    /* cache_publish_begin has taken the lock; the store thread's */
	uint64_t asked_us; /* the store thread's */
	uint64_t max_age_us;
	atomic_uint_least64_t away_since_us; /* 0: the database is not away */
	uint64_t seed;
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t entry_count;
	struct entry *newest, *oldest;
	size_t bytes, bytes_max;
	size_t lent; /* of bytes_max */
};

struct cache *
cache_new(size_t bytes_max)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->bytes_max = bytes_max;
	atomic_init(&c->away_since_us, 0);
	c->bucket_count = BUCKETS_FIRST;
	c->buckets = calloc(c->bucket_count, sizeof(struct entry *));
	if (c->buckets == NULL) {
		free(c);
		return NULL;
	}
	/* Without entropy this early in the boot the seed is 0: the table still works. */
	if (getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK) < 0)
		c->seed = 0;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void
cache_share(struct cache *c, uint64_t max_age_us)
{
	c->max_age_us = max_age_us;
}

void
cache_asks(struct cache *c)
{
	c->asked_us = clock_monotonic_us();
}

void
cache_set_away(struct cache *c, bool away)
{
	const uint64_t since_us = atomic_load(&c->away_since_us);

	if (away != (since_us != 0))
		atomic_store(&c->away_since_us, away ? clock_monotonic_us() : 0);
}

void
cache_publish_begin(struct cache *c)
{
	pthread_mutex_lock(&c->lock);
	c->publishes = true;
}

void
cache_publish_end(struct cache *c)
{
	c->publishes = false;
	pthread_mutex_unlock(&c->lock);
}

/* For what only the store's thread does. */
static void
lock_change(struct cache *c)
{
	if (!c->publishes)
		pthread_mutex_lock(&c->lock);
}

static void
unlock_change(struct cache *c)
{
	if (!c->publishes)
		pthread_mutex_unlock(&c->lock);
}

static size_t
entry_bytes(const struct entry *n)
{
	return sizeof(*n) + (n->layer != NULL ? snapshot_bytes(n->layer) : strlen(n->model) + strlen(n->name) + 2);
}

static uint64_t
hash_of(const struct cache *c, const char *model, const char *name, uint64_t version)
{
	return names_hash(c->seed, model, name) ^ version * UINT64_C(0x9E3779B97F4A7C15);
}

static struct entry **
bucket_of(struct cache *c, uint64_t hash)
{
	return &c->buckets[hash & (c->bucket_count - 1)];
}

static struct entry *
find_locked(struct cache *c, const char *model, const char *name, uint64_t version)
{
	const uint64_t hash = hash_of(c, model, name, version);
	struct entry *n = *bucket_of(c, hash);

	while (n != NULL && (n->hash != hash || n->version != version || !names_equal(n->model, n->name, model, name)))
		n = n->chain;
	return n;
}

static void
unlink_use_locked(struct cache *c, struct entry *n)
{
	*(n->newer != NULL ? &n->newer->older : &c->newest) = n->older;
	*(n->older != NULL ? &n->older->newer : &c->oldest) = n->newer;
}

static void
link_newest_locked(struct cache *c, struct entry *n)
{
	n->newer = NULL;
	n->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = n;
	c->newest = n;
}

static void
remove_locked(struct cache *c, struct entry *n)
{
	struct entry **link = bucket_of(c, n->hash);

	while (*link != n)
		link = &(*link)->chain;
	*link = n->chain;
	unlink_use_locked(c, n);
	assert(c->oldest != n && c->newest != n);
	c->bytes -= entry_bytes(n);
	c->entry_count--;
	snapshot_unref(n->layer); /* perhaps NULL */
	free(n);
}

/* Doubles the table once it holds as many entries as buckets. Without memory it stays: only slower. */
static void
grow_locked(struct cache *c)
{
	struct entry **buckets;
	size_t count = 2 * c->bucket_count;

	if (c->entry_count < c->bucket_count || (buckets = calloc(count, sizeof(struct entry *))) == NULL)
		return;
	free(c->buckets);
	c->buckets = buckets;
	c->bucket_count = count;
	for (struct entry *n = c->newest; n != NULL; n = n->older) {
		n->chain = *bucket_of(c, n->hash);
		*bucket_of(c, n->hash) = n;
	}
}

static void
evict_locked(struct cache *c)
{
	while (c->oldest != NULL && (c->lent > c->bytes_max || c->bytes > c->bytes_max - c->lent))
		remove_locked(c, c->oldest);
}

void
cache_lend(struct cache *c, size_t before, size_t now)
{
	pthread_mutex_lock(&c->lock);
	c->lent += now - before;
	evict_locked(c);
	pthread_mutex_unlock(&c->lock);
}

void
cache_measure(struct cache *c, struct store_figures *out)
{
	const uint64_t since_us = atomic_load(&c->away_since_us);

	pthread_mutex_lock(&c->lock);
	out->cache_entries = c->entry_count;
	out->cache_bytes = c->bytes + c->lent;
	out->cache_bytes_max = c->bytes_max;
	pthread_mutex_unlock(&c->lock);
	out->away_us = since_us != 0 ? clock_monotonic_us() - since_us : 0;
}

/* For how long an entry has not been fresh; 0: it is. */
static uint64_t
age_of(const struct cache *c, const struct entry *n)
{
	uint64_t age;

	if (c->max_age_us == 0)
		return 0;
	age = clock_monotonic_us() - n->asked_us;
	return age > c->max_age_us ? age : 0;
}

/* Finds an entry for use, which is then the newest. *age_us, NULL for any: the greatest age that was met. */
static struct entry *
use_locked(struct cache *c, const char *model, const char *name, uint64_t version, uint64_t *age_us)
{
	struct entry *n = find_locked(c, model, name, version);
	const uint64_t age = n != NULL && age_us != NULL ? age_of(c, n) : 0;

	if (n == NULL || (age > 0 && atomic_load_explicit(&c->away_since_us, memory_order_relaxed) == 0))
		return NULL;
	if (age > 0)
		*age_us = age > *age_us ? age : *age_us;
	unlink_use_locked(c, n);
	link_newest_locked(c, n);
	return n;
}

static const struct snapshot *
get_locked(struct cache *c, const char *model, const char *layer, uint64_t version, uint64_t *age_us)
{
	struct entry *n = use_locked(c, model, layer, version, age_us);

	return n != NULL ? snapshot_ref(n->layer) : NULL;
}

static const struct snapshot *
get(struct cache *c, const char *model, const char *layer, uint64_t version, uint64_t *age_us)
{
	const struct snapshot *found;

	pthread_mutex_lock(&c->lock);
	found = get_locked(c, model, layer, version, age_us);
	pthread_mutex_unlock(&c->lock);
	return found;
}

const struct snapshot *
cache_get(struct cache *c, const char *model, const char *layer, uint64_t version)
{
	uint64_t age_us = 0;

	return get(c, model, layer, version, &age_us);
}

const struct snapshot *
cache_get_any(struct cache *c, const char *model, const char *layer, uint64_t version)
{
	return get(c, model, layer, version, NULL);
}

/* The version that `which` means. False: a pointer would have to say it, and is not here. */
static bool
resolve_locked(struct cache *c, const char *model, const struct store_which *which, uint64_t *version, uint64_t *age_us)
{
	struct entry *n;

	*version = 0;
	if (which->kind == STORE_LIVE)
		return true;
	if (which->kind == STORE_NAMED && store_name_number(which->name, version))
		return true;
	n = use_locked(c, model, which->kind == STORE_NAMED ? which->name : "", POINTER, age_us);
	if (n != NULL)
		*version = n->pointer.number;
	return n != NULL;
}

static bool
get_all_locked(struct cache *c, struct store_layers *layers)
{
	const struct snapshot *found;
	uint64_t version;
	size_t got = 0;

	layers->age_us = 0;
	if (!resolve_locked(c, layers->model, &layers->which, &version, &layers->age_us))
		return false;
	while (got < layers->count) {
		found = get_locked(c, layers->model, layers->names[got], version, &layers->age_us);
		layers->snapshots[got] = found;
		if (found == NULL)
			break;
		got++;
		if (version == 0 && found->revision < layers->min_revision)
			return false;
	}
	return got == layers->count;
}

bool
cache_get_all(struct cache *c, struct store_layers *layers)
{
	bool all;

	pthread_mutex_lock(&c->lock);
	all = get_all_locked(c, layers);
	pthread_mutex_unlock(&c->lock);
	/* After unlocking: the last reference may be a large layer's. */
	for (size_t i = 0; !all && i < layers->count && layers->snapshots[i] != NULL; i++) {
		snapshot_unref(layers->snapshots[i]);
		layers->snapshots[i] = NULL;
	}
	metrics_count(all ? METRIC_CACHE_HITS : METRIC_CACHE_MISSES);
	return all;
}

const struct snapshot *
cache_get_which(struct cache *c, struct store_get *get)
{
	struct store_layers one = { .model = get->model,
		.names = &get->layer,
		.count = 1,
		.which = get->which,
		.min_revision = get->min_revision,
		.snapshots = &get->snapshot };

	(void)cache_get_all(c, &one);
	get->age_us = one.age_us;
	return get->snapshot;
}

bool
cache_get_pointer(struct cache *c, const char *model, const char *name, struct pointer *out)
{
	uint64_t age_us = 0;
	struct entry *n;

	pthread_mutex_lock(&c->lock);
	n = use_locked(c, model, name, POINTER, &age_us);
	if (n != NULL)
		*out = n->pointer;
	pthread_mutex_unlock(&c->lock);
	return n != NULL;
}

/* In the table, but not yet in the list by use. `room`: bytes for its names. NULL without memory. */
static struct entry *
add_locked(struct cache *c, uint64_t hash, size_t room)
{
	struct entry *n = malloc(sizeof(*n) + room);

	if (n == NULL)
		return NULL;
	grow_locked(c);
	n->hash = hash;
	n->chain = *bucket_of(c, hash);
	*bucket_of(c, hash) = n;
	c->entry_count++;
	return n;
}

static void
link_locked(struct cache *c, struct entry *n)
{
	link_newest_locked(c, n);
	c->bytes += entry_bytes(n);
	evict_locked(c);
}

void
cache_put(struct cache *c, const struct snapshot *layer)
{
	const struct layer_identity *identity = layer->identity;
	struct entry *n;

	lock_change(c);
	n = find_locked(c, identity->model, identity->name, layer->version);
	if (n != NULL) {
		unlink_use_locked(c, n);
		c->bytes -= entry_bytes(n);
		snapshot_unref(n->layer);
	} else {
		n = add_locked(c, hash_of(c, identity->model, identity->name, layer->version), 0);
	}
	if (n != NULL) {
		n->model = identity->model;
		n->name = identity->name;
		n->version = layer->version;
		n->layer = snapshot_ref(layer);
		n->asked_us = c->asked_us;
		link_locked(c, n);
	}
	unlock_change(c);
}

void
cache_put_pointer(struct cache *c, const char *model, const char *name, struct pointer pointer)
{
	const size_t model_size = strlen(model) + 1, name_size = strlen(name) + 1;
	struct entry *n;

	lock_change(c);
	n = find_locked(c, model, name, POINTER);
	if (n == NULL && (n = add_locked(c, hash_of(c, model, name, POINTER), model_size + name_size)) != NULL) {
		n->model = memcpy(n->names, model, model_size);
		n->name = memcpy(n->names + model_size, name, name_size);
		n->version = POINTER;
		n->layer = NULL;
		link_locked(c, n);
		n = find_locked(c, model, name, POINTER); /* unless it does not fit */
	}
	if (n != NULL) {
		n->pointer = pointer;
		n->asked_us = c->asked_us;
	}
	unlock_change(c);
}

static void
drop(struct cache *c, const char *model, const char *name, uint64_t version)
{
	struct entry *n;

	lock_change(c);
	n = find_locked(c, model, name, version);
	if (n != NULL)
		remove_locked(c, n);
	unlock_change(c);
}

void
cache_drop(struct cache *c, const char *model, const char *layer)
{
	drop(c, model, layer, 0);
}

void
cache_drop_pointer(struct cache *c, const char *model, const char *name)
{
	drop(c, model, name, POINTER);
}

/* Which entries of a model leave: all, or those of one version. */
#define ALL UINT64_MAX

/* Looks at every entry: what needs it is rare. */
static void
drop_many(struct cache *c, const char *model, uint64_t version)
{
	struct entry *n, *older;

	lock_change(c);
	for (n = c->newest; n != NULL; n = older) {
		older = n->older;
		if ((version == ALL || n->version == version) && strcmp(n->model, model) == 0)
			remove_locked(c, n);
	}
	unlock_change(c);
}

void
cache_drop_version(struct cache *c, const char *model, uint64_t version)
{
	drop_many(c, model, version);
}

void
cache_drop_model(struct cache *c, const char *model)
{
	drop_many(c, model, ALL);
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	while (c->oldest != NULL)
		remove_locked(c, c->oldest);
	pthread_mutex_destroy(&c->lock);
	free(c->buckets);
	free(c);
}
