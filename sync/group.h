/* SPDX-License-Identifier: MIT */
/*
 * The group of ranks of one synchronized step: which ranks have come, what they agree on, and what their shards come
 * to. It only keeps the books: it has no thread and no clock, and wakes nobody. A group fills, is led once all ranks
 * have come, and is done once the leader has told.
 *
 * All functions except sync_shard_digest and sync_group_pool are called under one lock of the caller's. `list` takes
 * the members that no longer wait, linked by `next`, with their `err` or `result` set. The caller resumes them after
 * unlocking. Times are clock_monotonic_us.
 */
#pragma once

#include "base/budget.h"
#include "sync/sync.h"

/* The most bytes of a model's name, without the NUL. */
#define SYNC_MODEL_MAX 128

enum group_state {
	GROUP_FILLS, /* members come and wait */
	GROUP_LED,   /* all have come; the leader is at work */
	GROUP_DONE   /* the leader has told, and nobody waits */
};

/* Of a group whose ranks may reach other daemons (sync/remote.c). */
struct sync_remote {
	char model[SYNC_MODEL_MAX + 1];
	unsigned char *at;       /* by rank: what it is to the meeting; NULL: all ranks come here */
	bool known_only;         /* all members join known steps alone */
	bool forgotten;          /* the collection has it no more */
	bool due;                /* for a visit */
	bool follows;            /* another daemon leads it */
	bool to_tell;            /* ours has led it, and the others do not know yet */
	bool listed;             /* it is looked after, with a reference */
	struct sync_group *next; /* that is */
	int64_t turn;            /* its number in the meeting; 0: it was not there yet */
	int64_t changes;         /* as the meeting told last */
	unsigned tries;          /* to reach the meeting */
	struct err failure;      /* of the step, for the others */
};

/* sync/groups.c reads all fields; only sync/group.c writes those of the second part, and remote.c those of `remote`. */
struct sync_group {
	/* The collection's (sync/groups.c). */
	uint64_t hash;
	struct sync_group *chain;         /* the next of its bucket */
	struct sync_group *newer, *older; /* among the groups that are done */
	size_t heap_at;                   /* its place in the heap of deadlines, from 1; 0: none */
	uint64_t deadline_us;             /* when it must be full; once it is done, when it is forgotten */

	/* The group's own. */
	unsigned references; /* its members', and one of the collection */
	enum group_state state;
	int64_t layer_id;
	bool backward;
	char step[SYNC_STEP_MAX + 1];
	size_t features;
	unsigned world_size, arrived;
	uint64_t timeout_us;
	unsigned *waiting;                      /* the collection's counter of members that wait */
	struct sync_member **members;           /* by rank, while it fills and is led; NULL: not here */
	unsigned char (*digests)[DIGEST_BYTES]; /* of the shards, by rank, to recognize a repeat */
	struct sync_member *late;               /* repeats that came while it was led */
	struct sync_result result;
	double *values; /* the arrays of the result */
	struct budget_share memory;
	struct sync_remote remote;
};

/* The memory of a group of this size; SIZE_MAX if no machine has that much. */
size_t sync_group_bytes(size_t features, unsigned world_size);

/*
 * An empty group with one reference, the collection's; `shared`: its ranks may reach other daemons. Its memory is
 * counted in the budget. NULL without memory.
 */
struct sync_group *
sync_group_new(const struct sync_call *call, size_t features, bool shared, struct budget *memory, unsigned *waiting);

/* Gives back a reference; the last one frees the group. */
void sync_group_unref(struct sync_group *g);

/* Computes m->digest, by which a repeat is recognized, from all of m->shard. */
int sync_shard_digest(struct sync_member *m, struct err *e) MUST_CHECK;

/* Whether this rank brought the same shard to the group, which is full. */
bool sync_group_is_repeat(const struct sync_group *g, const struct sync_call *call, const struct sync_member *m);

/* Checks that the call agrees with those that came before. */
int sync_group_check(
    const struct sync_group *g, const struct sync_call *call, const struct shard *s, struct err *e) MUST_CHECK;

/* Whether one more member would wait if this call joined. */
bool sync_group_adds_waiter(const struct sync_group *g, const struct sync_call *call);

/*
 * The member joins. It gets the result, or waits (m->waits) in the place of its rank; a call that had the place before
 * is released. Returns true if the group is full now: then this member leads it and does not wait. In a group whose
 * ranks may reach other daemons every member waits. m->group must be given back by sync_group_unref.
 */
bool sync_group_join(
    struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list) MUST_CHECK;

/*
 * Takes a waiting member out of a group that fills, with `err`: its rank counts as not here. Returns false, and changes
 * nothing, if the member does not wait, or waits for a leader, who will tell it.
 */
bool sync_group_remove(struct sync_member *m, const struct err *err, struct sync_member **list);

/* Releases all members except `but`, and all repeats, with `err`, or with the result if it is NULL. */
void sync_group_release_all(
    struct sync_group *g, const struct sync_member *but, const struct err *err, struct sync_member **list);

/* The meeting has another shard of this rank: the call that waits here is released. */
void sync_group_replaced(struct sync_group *g, unsigned rank, struct sync_member **list);

/* The group is led, and the lowest rank that waits here leads it: it is put on the list. False: nobody waits. */
bool sync_group_choose_leader(struct sync_group *g, struct sync_member **list) MUST_CHECK;

/*
 * Pools the shards of a group that is led (docs/MATH.md, equation 24). Called by the leader without the lock: nobody
 * else touches them. `shards`: those of all ranks; NULL: the members'. The result lives as long as the group; only
 * sync_groups_tell changes it. NULL with `e`.
 */
const struct sync_result *sync_group_pool(struct sync_group *g, const struct shard *shards, struct err *e) MUST_CHECK;
