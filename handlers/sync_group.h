/*
 * The groups of ranks of synchronized steps: who has come, what they agree on, when a group is full, what its shards come to, and how
 * long a step that is done is remembered. Bookkeeping alone: no thread, no clock, nobody is woken. A group fills, is led once all ranks
 * have come, and is done once the leader has told.
 *
 * All is called under one lock of the caller's, but for sync_shard_digest and sync_group_pool. A `list` takes members that wait no
 * more, linked by `next`, with their `err` or `result` set: the caller resumes them, without the lock. Times are of clock_monotonic_us.
 */
#ifndef HANDLERS_SYNC_GROUP_H
#define HANDLERS_SYNC_GROUP_H

#include "handlers/sync.h"

/* All groups of a daemon. Zeroed, there are none. */
struct sync_groups {
	struct sync_group *first; /* newest first */
	size_t done_count, done_bytes;
};

/* Lets go of all of them. */
void sync_groups_fini(struct sync_groups *all);

/* m->digest, which a rank's repeat is known by, of m->shard. */
int sync_shard_digest(struct sync_member *m, struct err *e) MUST_CHECK;

/*
 * The group that the member belongs to now; a new one where there is none. A step that is done and comes again with another shard is
 * a new one. NULL with m->err: the step is being done with another shard of this rank, the call does not agree with the others', or no
 * memory.
 */
struct sync_group *sync_groups_get(struct sync_groups *all, int64_t layer_id, bool backward, const struct sync_call *call,
    struct sync_member *m, uint64_t now_us);

/* Nobody has joined it yet. */
bool sync_group_is_new(const struct sync_group *g);

/*
 * The member joins, by the group's state: it has the result, or waits (m->waits), in the place of its rank, from which a call that had
 * it before is released. Returns whether the group is full now: then it is led by this member, which does not wait. m->group must be
 * given back by sync_group_unref.
 */
bool sync_group_join(
    struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list) MUST_CHECK;

/*
 * What the shards of a group that is led come to (docs/MATH.md, equation 24). By the leader, without the lock: nobody else touches
 * them. The result lives as long as the group, and does not change but by sync_groups_tell. NULL with `e`.
 */
const struct sync_result *sync_group_pool(struct sync_group *g, struct err *e) MUST_CHECK;

/* The leader's word. Its group is done, and remembered for as long as it was given to fill; then, or of too many, it is forgotten. */
void sync_groups_tell(struct sync_groups *all, struct sync_member *leader, uint64_t num_batches_tracked, uint64_t revision,
    uint64_t now_us, struct sync_member **list);

/* The leader has failed, and so have all others: the group is forgotten. */
void sync_groups_fail(struct sync_groups *all, struct sync_member *leader, const struct err *err, struct sync_member **list);

/* Fails the groups that should have been full by now, and forgets them and those that are done for long. Returns when to look again. */
uint64_t sync_groups_expire(struct sync_groups *all, uint64_t now_us, struct sync_member **list);

/* Fails all who wait, and forgets all groups, but those that are led: their leaders will tell. */
void sync_groups_fail_unled(struct sync_groups *all, const struct err *err, struct sync_member **list);

bool sync_groups_any_is_led(const struct sync_groups *all);

/* A member has left the group. */
void sync_group_unref(struct sync_group *g);

#endif
