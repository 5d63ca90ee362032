/* SPDX-License-Identifier: MIT */
/*
 * Synchronized batch normalization: the shards of one step meet here. Each rank's call leaves its shard's moments and
 * waits. The last rank to come pools them, in the order of the ranks, and leads: it makes the update, if there is one,
 * and tells the others. A step that does not fill in time fails for all its ranks.
 *
 * A step that is done is remembered for its timeout, but at most 1024 steps and 16 MiB are kept. A rank that did not
 * get its answer sends the same shard again and gets it, without another update.
 *
 * Thread-safe, except sync_start and sync_free. A member belongs to its request; between sync_join and `resume` only
 * this module touches it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/digest.h"
#include "base/err.h"
#include "norm/pool.h"

#define SYNC_STEP_MAX 128
#define SYNC_WORLD_MAX 4096
#define SYNC_TIMEOUT_MS_MAX 3600000

struct sync;
struct sync_group;
struct meeting;

/* A rank's call: which step it belongs to, and its place in it. */
struct sync_call {
	int64_t layer_id;
	bool backward;    /* the steps of training and of backward are apart */
	const char *step; /* 1 to SYNC_STEP_MAX characters */
	unsigned rank, world_size;
	unsigned timeout_ms;
	bool known_only;   /* join only a step that has begun, or that is done and had this shard */
	const char *model; /* the layer's; not read where all ranks come to this daemon */
};

/* How many lists, of a double for each channel, a step has room for: the state that its ranks normalize by. */
#define SYNC_STATE_LISTS 4

/* All shards together (docs/MATH.md, equation 24; the sums with the pooled mean). Immutable once it is there. */
struct sync_result {
	struct shard whole; /* empty if all shards are; the limit is the smallest */

	/* Of training, once the leader has told. */
	uint64_t num_batches_tracked, revision;
	int64_t
	    turn; /* not 0: the leader makes the update under a key of this number, in case another one takes over */
	double *state; /* SYNC_STATE_LISTS * features doubles for the leader to fill; NULL in backward */
};

struct sync_member {
	/* The caller's. */
	struct shard shard;        /* its arrays belong to the member's request */
	void (*resume)(void *arg); /* from any thread, without a lock held */
	void *arg;

	/* The results. `result` is NULL after an error, and where the call is known_only and has joined no step. */
	struct err err;
	bool leads;                       /* it must call sync_lead */
	const struct sync_result *result; /* valid until sync_leave */

	/* The module's own. */
	struct sync *all;
	struct sync_group *group;
	struct sync_member *next;
	unsigned rank;
	unsigned char digest[DIGEST_BYTES];
	bool waits;
};

/* What all synchronized calls share. */
struct sync_limits {
	struct budget *memory;   /* counts the memory of the steps; NULL: it is not counted */
	unsigned waiting_max;    /* how many calls may wait at once; the call that completes a step does not wait */
	unsigned timeout_ms_max; /* longer timeouts are shortened to this */
	struct meeting *meeting; /* where ranks meet that reach other daemons; NULL: all come here. Outlives the sync */
};

/* Starts the thread that watches the deadlines. NULL with `e`. */
struct sync *sync_start(const struct sync_limits *limits, struct err *e) MUST_CHECK;

/* Fails all calls that wait, with shutting_down, and all that come later. May be called again. */
void sync_stop(struct sync *all);

/*
 * After sync_stop: waits until every leader has told, so that no call waits any more. The store and the event loops
 * must still run, since leaders wait for them. Gives up after SYNC_SETTLE_S.
 */
#define SYNC_SETTLE_S 10
void sync_settle(struct sync *all);

void sync_free(struct sync *all); /* after sync_stop, when no member is left; NULL is fine */

/*
 * Joins the step of the call. Returns whether the member waits: then `resume` will be called, perhaps before this
 * returns. If it does not wait the results are there: m->err, m->leads, m->result.
 */
bool sync_join(struct sync *all, const struct sync_call *call, struct sync_member *m) MUST_CHECK;

/* Whether the call's step has begun, or is done and remembered. */
bool sync_knows(struct sync *all, const struct sync_call *call);

/*
 * The member's client is gone, or waits no longer: the member leaves its step with `err` and is resumed. Another call
 * of its rank may still come. Does nothing to a member that does not wait (it may not have joined yet), or whose step
 * has all its shards. May be called from any thread while the member's request lives.
 */
void sync_abandon(struct sync *all, struct sync_member *m, const struct err *err);

/* How many calls wait for other ranks. */
unsigned sync_waiting(struct sync *all);

/* The leader tells the others: what the update came to, or `err`. */
void sync_lead(struct sync_member *m, const struct err *err, uint64_t num_batches_tracked, uint64_t revision);

/* Ends a member in any state; a zeroed one is fine. A leader that has not told fails the others. */
void sync_leave(struct sync_member *m);
