/* SPDX-License-Identifier: MIT */
/*
 * All groups of synchronized steps of a daemon (sync/group.h): found by their step, failed when they do not fill in
 * time, remembered for a while when they are done. Every function takes the same time however many groups there are,
 * except at the daemon's end: groups are in a hash table, in a heap by deadline and, when done, in a list by age.
 *
 * All functions are called under one lock of the caller's; for `list` see sync/group.h.
 */
#pragma once

#include "base/budget.h"
#include "sync/group.h"

/* Zeroed: no groups, no budget, and no member may wait. sync_groups_init sets the limits. */
struct sync_groups {
	struct budget *memory; /* counts the groups' memory; NULL: it is not counted */
	unsigned waiting_max;  /* how many members may wait */
	unsigned waiting;
	bool shared;   /* ranks may reach other daemons */
	uint64_t seed; /* of the hashes; clients do not know it */

	struct sync_group **buckets;
	size_t bucket_count; /* a power of two, or 0 */
	size_t count;        /* of groups */

	struct sync_group **heap; /* by deadline, from 1: all groups that are not led */
	size_t heap_count, heap_room;

	struct sync_group *newest, *oldest; /* of the groups that are done */
	size_t done_count, done_bytes;
	unsigned led_count;
};

void sync_groups_init(struct sync_groups *all, struct budget *memory, unsigned waiting_max);

/* Forgets all groups. */
void sync_groups_fini(struct sync_groups *all);

/* Whether there is a group of the call's step, in any state. */
bool sync_groups_know(const struct sync_groups *all, const struct sync_call *call);

/*
 * The group that the member belongs to: a new one if there is none, or if its step is done and this is another shard;
 * then NULL without an error where the call joins known steps alone. NULL with m->err: the step is being finished with
 * another shard of this rank, the call does not agree with the others', too many members wait, or there is no memory.
 */
struct sync_group *
sync_groups_get(struct sync_groups *all, const struct sync_call *call, struct sync_member *m, uint64_t now_us);

/* The member joins that group, as by sync_group_join. */
bool sync_groups_join(struct sync_groups *all, struct sync_group *g, const struct sync_call *call,
    struct sync_member *m, struct sync_member **list) MUST_CHECK;

/* All ranks of a group have come to the meeting: it is led, and its deadline does not count any more. */
void sync_groups_begin_to_end(struct sync_groups *all, struct sync_group *g);

/* Members that join known steps alone have found none: they get no result, and no error. The group is forgotten. */
void sync_groups_release_unknown(struct sync_groups *all, struct sync_group *g, struct sync_member **list);

/*
 * The leader has succeeded (NULL: that of another daemon). Its group is done, and remembered for its timeout. If too
 * many are remembered, the oldest are forgotten.
 */
void sync_groups_tell(struct sync_groups *all, struct sync_group *g, const struct sync_member *leader,
    uint64_t num_batches_tracked, uint64_t revision, uint64_t now_us, struct sync_member **list);

/* The leader has failed, and so have the other members: the group is forgotten. */
void sync_groups_fail(struct sync_groups *all, struct sync_group *g, const struct sync_member *leader,
    const struct err *err, struct sync_member **list);

/* As sync_group_remove; a group that is empty then is forgotten. */
void
sync_groups_remove(struct sync_groups *all, struct sync_member *m, const struct err *err, struct sync_member **list);

/* The first deadline; UINT64_MAX if there is none. */
uint64_t sync_groups_next(const struct sync_groups *all);

/* Fails groups that should be full by now, and forgets them and old ones that are done. Returns the next deadline. */
uint64_t sync_groups_expire(struct sync_groups *all, uint64_t now_us, struct sync_member **list);

/* Fails all members that wait, and forgets all groups that are not led: leaders will tell theirs. */
void sync_groups_fail_unled(struct sync_groups *all, const struct err *err, struct sync_member **list);
