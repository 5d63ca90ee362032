/* SPDX-License-Identifier: MIT */
/*
 * All groups of synchronized steps of a daemon (sync_group.h): found by their step, failed when they do not fill in
 * time, remembered for a while after they are done. Everything but the end of the daemon takes the same time however
 * many groups there are: they are in a hash table, in a heap by their deadlines, and those that are done in a list by
 * age.
 *
 * All functions are called under one lock of the caller's; `list` is as in sync_group.h.
 */
#ifndef SYNC_GROUPS_H
#define SYNC_GROUPS_H

#include "base/budget.h"
#include "sync/group.h"

/* Zeroed, there are none, nobody is counted in a budget, and nobody may wait; sync_groups_init sets the limits. */
struct sync_groups {
	struct budget *memory; /* of the groups; NULL: it is not counted */
	unsigned waiting_max;  /* members that wait, at most */
	unsigned waiting;
	uint64_t seed; /* that clients do not know */

	struct sync_group **buckets;
	size_t bucket_count; /* a power of two, or 0 */
	size_t count;        /* of groups */

	struct sync_group **heap; /* by deadline, from 1: all but those that are led */
	size_t heap_count, heap_room;

	struct sync_group *newest, *oldest; /* that are done */
	size_t done_count, done_bytes;
	unsigned led_count;
};

void sync_groups_init(struct sync_groups *all, struct budget *memory, unsigned waiting_max);

/* Lets go of all of them. */
void sync_groups_fini(struct sync_groups *all);

/*
 * The group that the member belongs to now; a new one where there is none. A step that is done and comes again with
 * another shard is a new one. NULL with m->err: the step is being done with another shard of this rank, the call does
 * not agree with the others', too many members wait already, or there is no memory.
 */
struct sync_group *sync_groups_get(struct sync_groups *all, int64_t layer_id, bool backward,
    const struct sync_call *call, struct sync_member *m, uint64_t now_us);

/* The member joins that group, as by sync_group_join. */
bool sync_groups_join(struct sync_groups *all, struct sync_group *g, const struct sync_call *call,
    struct sync_member *m, struct sync_member **list) MUST_CHECK;

/*
 * The leader's word. Its group is done, and remembered for as long as it was given to fill; then, or of too many, it is
 * forgotten.
 */
void sync_groups_tell(struct sync_groups *all, struct sync_member *leader, uint64_t num_batches_tracked,
    uint64_t revision, uint64_t now_us, struct sync_member **list);

/* The leader has failed, and so have all others: the group is forgotten. */
void
sync_groups_fail(struct sync_groups *all, struct sync_member *leader, const struct err *err, struct sync_member **list);

/* As sync_group_remove; a group that nobody is left in is forgotten. */
void
sync_groups_remove(struct sync_groups *all, struct sync_member *m, const struct err *err, struct sync_member **list);

/* When the first group must be full, or is forgotten; UINT64_MAX where there is none. */
uint64_t sync_groups_next(const struct sync_groups *all);

/*
 * Fails the groups that should have been full by now, and forgets them and those that are done for long. Returns when
 * to look again.
 */
uint64_t sync_groups_expire(struct sync_groups *all, uint64_t now_us, struct sync_member **list);

/* Fails all who wait, and forgets all groups, but those that are led: their leaders will tell. */
void sync_groups_fail_unled(struct sync_groups *all, const struct err *err, struct sync_member **list);

bool sync_groups_any_is_led(const struct sync_groups *all);

#endif
