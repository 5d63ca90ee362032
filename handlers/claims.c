/* SPDX-License-Identifier: MIT */
#include "handlers/claims.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

/* More than the requests that run at once. The table never grows, so a claim allocates nothing. */
#define BUCKETS ((size_t)8192)

struct claims {
	uint64_t seed; /* immutable */

	/* Guarded by `lock`, like the private members of the claims in them. */
	pthread_mutex_t lock;
	struct claim *buckets[BUCKETS];
};

struct claims *
claims_new(void)
{
	struct claims *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	/* Early in the boot there may be no entropy; the table also works with seed 0. */
	if (getrandom(&all->seed, sizeof(all->seed), GRND_NONBLOCK) < 0)
		all->seed = 0;
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void
claims_free(struct claims *all)
{
	if (all == NULL)
		return;
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static bool
same(const struct claim *a, const struct claim *b)
{
	return a->hash == b->hash && strcmp(a->key, b->key) == 0 && strcmp(a->layer, b->layer) == 0 &&
	    strcmp(a->model, b->model) == 0;
}

/* The link that points to `claim` or to another claim of the same key; else the bucket's last link. */
static struct claim **
find_link_locked(struct claims *all, const struct claim *claim)
{
	struct claim **link = &all->buckets[claim->hash % BUCKETS];

	while (*link != NULL && !same(*link, claim))
		link = &(*link)->next;
	return link;
}

bool
claims_take(struct claims *all, struct claim *claim)
{
	struct claim **link;
	bool free_to_take;

	claim->hash =
	    hash_fold(hash_text(hash_text(hash_text(HASH_START ^ all->seed, claim->model), claim->layer), claim->key));
	claim->next = NULL;
	pthread_mutex_lock(&all->lock);
	link = find_link_locked(all, claim);
	free_to_take = *link == NULL;
	if (free_to_take)
		*link = claim;
	pthread_mutex_unlock(&all->lock);
	claim->held_in = free_to_take ? all : NULL;
	return free_to_take;
}

void
claims_release(struct claim *claim)
{
	struct claims *all = claim->held_in;

	if (all == NULL)
		return;
	pthread_mutex_lock(&all->lock);
	*find_link_locked(all, claim) = claim->next;
	pthread_mutex_unlock(&all->lock);
	claim->held_in = NULL;
}
