/* SPDX-License-Identifier: MIT */
#include "storage/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "storage/snapshot.h"
#include "storage/names.h"

#define BUCKETS_FIRST ((size_t)1024)

struct entry {
	const struct snapshot *layer;
	uint64_t hash;
	struct entry *chain;         /* the next of its bucket */
	struct entry *newer, *older; /* by use */
};

/* All fields are guarded by `lock`. */
struct cache {
	pthread_mutex_t lock;
	uint64_t seed;
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t entry_count;
	struct entry *newest, *oldest;
	size_t bytes, bytes_max;
};

struct cache *
cache_new(size_t bytes_max)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->bytes_max = bytes_max;
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

static size_t
entry_bytes(const struct entry *n)
{
	return sizeof(*n) + snapshot_bytes(n->layer);
}

static struct entry **
bucket_of(struct cache *c, uint64_t hash)
{
	return &c->buckets[hash & (c->bucket_count - 1)];
}

static struct entry *
find_locked(struct cache *c, uint64_t hash, const char *model, const char *layer)
{
	struct entry *n = *bucket_of(c, hash);

	while (n != NULL &&
	    (n->hash != hash || !names_equal(n->layer->identity->model, n->layer->identity->name, model, layer)))
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
	snapshot_unref(n->layer);
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
	while (c->bytes > c->bytes_max && c->oldest != NULL)
		remove_locked(c, c->oldest);
}

void
cache_limit(struct cache *c, size_t bytes_max)
{
	pthread_mutex_lock(&c->lock);
	c->bytes_max = bytes_max;
	evict_locked(c);
	pthread_mutex_unlock(&c->lock);
}

const struct snapshot *
cache_get(struct cache *c, const char *model, const char *layer)
{
	const uint64_t hash = names_hash(c->seed, model, layer);
	const struct snapshot *found = NULL;
	struct entry *n;

	pthread_mutex_lock(&c->lock);
	n = find_locked(c, hash, model, layer);
	if (n != NULL) {
		found = snapshot_ref(n->layer);
		unlink_use_locked(c, n);
		link_newest_locked(c, n);
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* In the table, but not yet in the list by use. NULL without memory. */
static struct entry *
add_locked(struct cache *c, uint64_t hash)
{
	struct entry *n = malloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	grow_locked(c);
	n->hash = hash;
	n->chain = *bucket_of(c, hash);
	*bucket_of(c, hash) = n;
	c->entry_count++;
	return n;
}

void
cache_put(struct cache *c, const struct snapshot *layer)
{
	const struct layer_identity *identity = layer->identity;
	const uint64_t hash = names_hash(c->seed, identity->model, identity->name);
	struct entry *n;

	pthread_mutex_lock(&c->lock);
	n = find_locked(c, hash, identity->model, identity->name);
	if (n != NULL) {
		unlink_use_locked(c, n);
		c->bytes -= entry_bytes(n);
		snapshot_unref(n->layer);
	} else {
		n = add_locked(c, hash);
	}
	if (n != NULL) {
		n->layer = snapshot_ref(layer);
		link_newest_locked(c, n);
		c->bytes += entry_bytes(n);
		evict_locked(c);
	}
	pthread_mutex_unlock(&c->lock);
}

void
cache_drop(struct cache *c, const char *model, const char *layer)
{
	struct entry *n;

	pthread_mutex_lock(&c->lock);
	n = find_locked(c, names_hash(c->seed, model, layer), model, layer);
	if (n != NULL)
		remove_locked(c, n);
	pthread_mutex_unlock(&c->lock);
}

/* Looks at every entry: deleting a model is rare. */
void
cache_drop_model(struct cache *c, const char *model)
{
	struct entry *n, *older;

	pthread_mutex_lock(&c->lock);
	for (n = c->newest; n != NULL; n = older) {
		older = n->older;
		if (strcmp(n->layer->identity->model, model) == 0)
			remove_locked(c, n);
	}
	pthread_mutex_unlock(&c->lock);
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	c->bytes_max = 0;
	evict_locked(c);
	pthread_mutex_destroy(&c->lock);
	free(c->buckets);
	free(c);
}
