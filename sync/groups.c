/* SPDX-License-Identifier: MIT */
#include "sync/groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/metrics.h"
#include "sync/heap.h"

/* The most steps that are remembered when they are done, and their memory, which no request pays for any more. */
#define DONE_MAX ((size_t)1024)
#define DONE_BYTES_MAX ((size_t)16 << 20)

#define BUCKETS_FIRST ((size_t)256)

/* The meeting says when a step has not filled in time; a group gives up so much later if it does not. */
#define MEETING_GRACE_US ((uint64_t)5000000)

void
sync_groups_init(struct sync_groups *all, struct budget *memory, unsigned waiting_max)
{
	*all = (struct sync_groups){ .memory = memory, .waiting_max = waiting_max };
	/* Without entropy this early in the boot the seed is 0: the table still works. */
	if (getrandom(&all->seed, sizeof(all->seed), GRND_NONBLOCK) < 0)
		all->seed = 0;
}

static uint64_t
hash_of(const struct sync_groups *all, const struct sync_call *call)
{
	const uint64_t start =
	    HASH_START ^ all->seed ^ ((uint64_t)call->layer_id << 1 | call->backward) * UINT64_C(0x9e3779b97f4a7c15);

	return hash_fold(hash_text(start, call->step));
}

static struct sync_group **
bucket_of(const struct sync_groups *all, uint64_t hash)
{
	return &all->buckets[hash & (all->bucket_count - 1)];
}

static struct sync_group *
find(const struct sync_groups *all, const struct sync_call *call)
{
	const uint64_t hash = hash_of(all, call);
	struct sync_group *g = all->bucket_count == 0 ? NULL : *bucket_of(all, hash);

	while (g != NULL &&
	    (g->hash != hash || g->layer_id != call->layer_id || g->backward != call->backward ||
		strcmp(g->step, call->step) != 0))
		g = g->chain;
	return g;
}

/* Doubles the table once it holds as many groups as buckets. -1 if there is no memory for the first table. */
static int
grow(struct sync_groups *all)
{
	const size_t count = all->bucket_count == 0 ? BUCKETS_FIRST : 2 * all->bucket_count;
	struct sync_group **old = all->buckets, **buckets, *g, *next;
	const size_t old_count = all->bucket_count;

	if (all->count < all->bucket_count)
		return 0;
	buckets = calloc(count, sizeof(struct sync_group *));
	if (buckets == NULL)
		return old == NULL ? -1 : 0;
	all->buckets = buckets;
	all->bucket_count = count;
	for (size_t i = 0; i < old_count; i++)
		for (g = old[i]; g != NULL; g = next) {
			next = g->chain;
			g->chain = *bucket_of(all, g->hash);
			*bucket_of(all, g->hash) = g;
		}
	free(old);
	return 0;
}

static void
link_done(struct sync_groups *all, struct sync_group *g)
{
	g->older = all->newest;
	g->newer = NULL;
	*(all->newest != NULL ? &all->newest->newer : &all->oldest) = g;
	all->newest = g;
	all->done_count++;
	all->done_bytes += sync_group_bytes(g->features, g->world_size);
}

static void
unlink_done(struct sync_groups *all, struct sync_group *g)
{
	*(g->newer != NULL ? &g->newer->older : &all->newest) = g->older;
	*(g->older != NULL ? &g->older->newer : &all->oldest) = g->newer;
	all->done_count--;
	all->done_bytes -= sync_group_bytes(g->features, g->world_size);
}

/* Takes the group out of all lists. */
static void
forget(struct sync_groups *all, struct sync_group *g)
{
	struct sync_group **link = bucket_of(all, g->hash);

	while (*link != g)
		link = &(*link)->chain;
	*link = g->chain;
	g->remote.forgotten = true;
	all->count--;
	sync_heap_remove(all, g);
	if (g->state == GROUP_DONE)
		unlink_done(all, g);
	if (g->state == GROUP_LED)
		all->led_count--;
	sync_group_unref(g);
}

void
sync_groups_fini(struct sync_groups *all)
{
	for (size_t i = 0; i < all->bucket_count; i++)
		while (all->buckets[i] != NULL)
			forget(all, all->buckets[i]);
	free(all->buckets);
	free(all->heap);
	all->buckets = all->heap = NULL;
	all->bucket_count = all->heap_room = 0;
}

/* If the budget has nothing left, steps that are only remembered make room, oldest first. */
static struct sync_group *
new_group(struct sync_groups *all, const struct sync_call *call, size_t features, uint64_t now_us)
{
	struct sync_group *g;

	if (grow(all) < 0 || sync_heap_reserve(all) < 0)
		return NULL;
	while ((g = sync_group_new(call, features, all->shared, all->memory, &all->waiting)) == NULL &&
	    all->oldest != NULL)
		forget(all, all->oldest);
	if (g == NULL)
		return NULL;
	g->hash = hash_of(all, call);
	g->chain = *bucket_of(all, g->hash);
	*bucket_of(all, g->hash) = g;
	all->count++;
	g->deadline_us = now_us + g->timeout_us + (all->shared ? MEETING_GRACE_US : 0);
	sync_heap_add(all, g);
	return g;
}

/* A call that completes a step, or takes its own place again, is never refused. */
static int
check_room(const struct sync_groups *all, const struct sync_group *g, const struct sync_call *call, struct err *e)
{
	const bool adds = g != NULL ? sync_group_adds_waiter(g, call) : all->shared || call->world_size > 1;

	if (!adds || all->waiting < all->waiting_max)
		return 0;
	err_set(e, ERR_OVERLOADED,
	    "%u synchronized calls are already waiting for other ranks, the most that this server allows; try again "
	    "later",
	    all->waiting);
	err_set_shed(e, METRIC_SHED_SYNC_STEPS);
	return -1;
}

bool
sync_groups_know(const struct sync_groups *all, const struct sync_call *call)
{
	return find(all, call) != NULL;
}

struct sync_group *
sync_groups_get(struct sync_groups *all, const struct sync_call *call, struct sync_member *m, uint64_t now_us)
{
	struct sync_group *g = find(all, call);

	if (call->known_only &&
	    (g == NULL ? !all->shared : g->state == GROUP_DONE && !sync_group_is_repeat(g, call, m)))
		return NULL;
	if (g != NULL && g->state == GROUP_LED && !sync_group_is_repeat(g, call, m)) {
		err_set(&m->err, ERR_SYNC_INCOMPLETE, "step \"%s\" is being finished with another shard of rank %u",
		    call->step, call->rank);
		return NULL;
	}
	if (g != NULL && g->state == GROUP_DONE && !sync_group_is_repeat(g, call, m)) {
		forget(all, g);
		g = NULL;
	}
	if (g != NULL && sync_group_check(g, call, &m->shard, &m->err) < 0)
		return NULL;
	if (check_room(all, g, call, &m->err) < 0)
		return NULL;
	if (g != NULL)
		return g;
	g = new_group(all, call, m->shard.features, now_us);
	if (g == NULL)
		err_set_budget(&m->err);
	return g;
}

bool
sync_groups_join(struct sync_groups *all, struct sync_group *g, const struct sync_call *call, struct sync_member *m,
    struct sync_member **list)
{
	g->remote.known_only = g->remote.known_only && call->known_only;
	if (!sync_group_join(g, call, m, list))
		return false;
	all->led_count++;
	sync_heap_remove(all, g);
	return true;
}

void
sync_groups_begin_to_end(struct sync_groups *all, struct sync_group *g)
{
	g->state = GROUP_LED;
	all->led_count++;
	sync_heap_remove(all, g);
}

void
sync_groups_release_unknown(struct sync_groups *all, struct sync_group *g, struct sync_member **list)
{
	struct sync_member *first = *list;

	sync_group_release_all(g, NULL, NULL, list);
	for (struct sync_member *m = *list; m != first; m = m->next)
		m->result = NULL;
	forget(all, g);
}

void
sync_groups_tell(struct sync_groups *all, struct sync_group *g, const struct sync_member *leader,
    uint64_t num_batches_tracked, uint64_t revision, uint64_t now_us, struct sync_member **list)
{
	metrics_add(METRIC_SYNC_STEPS, METRIC_RESULT_OK, 1);
	g->result.num_batches_tracked = num_batches_tracked;
	g->result.revision = revision;
	sync_group_release_all(g, leader, NULL, list);
	g->state = GROUP_DONE;
	g->deadline_us = now_us + g->timeout_us;
	all->led_count--;
	sync_heap_add(all, g);
	link_done(all, g);
	while (all->done_count > DONE_MAX || all->done_bytes > DONE_BYTES_MAX)
		forget(all, all->oldest);
}

void
sync_groups_fail(struct sync_groups *all, struct sync_group *g, const struct sync_member *leader, const struct err *err,
    struct sync_member **list)
{
	metrics_add(METRIC_SYNC_STEPS, METRIC_RESULT_FAILED, 1);
	assert(g->references > 0);
	sync_group_release_all(g, leader, err, list);
	forget(all, g);
}

void
sync_groups_remove(struct sync_groups *all, struct sync_member *m, const struct err *err, struct sync_member **list)
{
	if (!sync_group_remove(m, err, list) || m->group->arrived > 0 || m->group->remote.listed)
		return;
	metrics_add(METRIC_SYNC_STEPS, METRIC_RESULT_FAILED, 1);
	forget(all, m->group);
}

uint64_t
sync_groups_next(const struct sync_groups *all)
{
	return all->heap_count == 0 ? UINT64_MAX : all->heap[1]->deadline_us;
}

uint64_t
sync_groups_expire(struct sync_groups *all, uint64_t now_us, struct sync_member **list)
{
	struct sync_group *g;
	struct err e = { 0 };

	while (all->heap_count > 0 && all->heap[1]->deadline_us <= now_us) {
		g = all->heap[1];
		if (g->state == GROUP_FILLS) {
			err_set(&e, ERR_SYNC_INCOMPLETE, "step \"%s\" did not fill within %llu ms: %u of %u ranks came",
			    g->step, (unsigned long long)(g->timeout_us / 1000), g->arrived, g->world_size);
			sync_group_release_all(g, NULL, &e, list);
			metrics_add(METRIC_SYNC_STEPS, METRIC_RESULT_FAILED, 1);
		}
		forget(all, g);
	}
	return sync_groups_next(all);
}

void
sync_groups_fail_unled(struct sync_groups *all, const struct err *err, struct sync_member **list)
{
	while (all->heap_count > 0) {
		if (all->heap[1]->state == GROUP_FILLS)
			metrics_add(METRIC_SYNC_STEPS, METRIC_RESULT_FAILED, 1);
		sync_group_release_all(all->heap[1], NULL, err, list);
		forget(all, all->heap[1]);
	}
}
