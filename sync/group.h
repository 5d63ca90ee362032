/* SPDX-License-Identifier: MIT */
/*
 * The group of ranks of one synchronized step: which ranks have come, what they agree on, and what their shards come
 * to. It does the bookkeeping only: it has no thread and no clock, and wakes nobody. A group fills, is led once all
 * ranks have come, and is done once the leader has told.
 *
 * All functions are called under one lock of the caller's, except for sync_shard_digest and sync_group_pool. A `list`
 * takes the members that wait no more, linked by `next`, with their `err` or `result` set: the caller resumes them,
 * without the lock. Times are of clock_monotonic_us.
 */
#ifndef SYNC_GROUP_H
#define SYNC_GROUP_H

#include "base/budget.h"
#include "sync/sync.h"

enum group_state {
	GROUP_FILLS, /* members come and wait */
	GROUP_LED,   /* all have come; the leader is at work */
	GROUP_DONE   /* it has told, and nobody waits any more */
};

/* sync_groups.c reads the fields; sync_group.c alone writes those of the second part. */
struct sync_group {
	/* The collection's (sync_groups.c). */
	uint64_t hash;
	struct sync_group *chain;         /* the next of its bucket */
	struct sync_group *newer, *older; /* among those that are done */
	size_t heap_at;                   /* its place in the heap of deadlines, from 1; 0: it is not there */
	uint64_t deadline_us;             /* until it must be full; once it is done, until it is forgotten */

	/* The group's own. */
	unsigned references; /* members, and one of the collection */
	enum group_state state;
	int64_t layer_id;
	bool backward;
	char step[SYNC_STEP_MAX + 1];
	size_t features;
	unsigned world_size, arrived;
	uint64_t timeout_us;
	unsigned *waiting;                      /* the collection's count of members that wait */
	struct sync_member **members;           /* of each rank, while it fills and is led; NULL: not here */
	unsigned char (*digests)[DIGEST_BYTES]; /* of each rank's shard, to know a repeat by */
	struct sync_member *late;               /* repeats that came while it was led */
	struct sync_result result;
	double *values; /* of the result */
	struct budget_share memory;
};

/* What a group of this size takes of memory; SIZE_MAX where no machine has so much. */
size_t sync_group_bytes(size_t features, unsigned world_size);

/* An empty group with one reference, the collection's. It takes its memory from the budget. NULL without memory. */
struct sync_group *sync_group_new(int64_t layer_id, bool backward, const struct sync_call *call, size_t features,
    struct budget *memory, unsigned *waiting);

/* A reference is given back; the last one frees the group. */
void sync_group_unref(struct sync_group *g);

/* m->digest, which a rank's repeat is known by, of m->shard. */
int sync_shard_digest(struct sync_member *m, struct err *e) MUST_CHECK;

/* Whether the shard is the one that this rank brought to a group that is full. */
bool sync_group_is_repeat(const struct sync_group *g, const struct sync_call *call, const struct sync_member *m);

/* Whether the call agrees with those that came before; else an error. */
int sync_group_check(
    const struct sync_group *g, const struct sync_call *call, const struct sync_shard *s, struct err *e) MUST_CHECK;

/* Whether one more member would wait if this call joined. */
bool sync_group_adds_waiter(const struct sync_group *g, const struct sync_call *call);

/* Nobody has joined it yet, or all who had are gone. */
bool sync_group_is_empty(const struct sync_group *g);

/*
 * The member joins, by the group's state: it has the result, or waits (m->waits), in the place of its rank, from which
 * a call that had it before is released. Returns whether the group is full now: then it is led by this member, which
 * does not wait. m->group must be given back by sync_group_unref.
 */
bool sync_group_join(
    struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list) MUST_CHECK;

/*
 * Takes a member that waits out of a group that fills, with `err`: its rank has not come. Returns false, and changes
 * nothing, where the member does not wait, or waits for a leader, who will tell.
 */
bool sync_group_remove(struct sync_member *m, const struct err *err, struct sync_member **list);

/* All members but `but`, and all that came late, wait no more: they have `err`, or the result where it is NULL. */
void sync_group_release_all(
    struct sync_group *g, const struct sync_member *but, const struct err *err, struct sync_member **list);

/*
 * What the shards of a group that is led come to (docs/MATH.md, equation 24). By the leader, without the lock: nobody
 * else touches them. The result lives as long as the group, and does not change but by sync_groups_tell. NULL with `e`.
 */
const struct sync_result *sync_group_pool(struct sync_group *g, struct err *e) MUST_CHECK;

#endif
