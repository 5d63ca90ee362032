/* SPDX-License-Identifier: MIT */
/*
 * Synchronized batch normalization: the shards of one step meet here. Each rank's call leaves its shard's moments and
 * waits; the last one to come pools them, in the order of the ranks, and leads: it makes the update, if there is one,
 * and tells the others. A step that does not fill in time fails for all.
 *
 * A step that is done is remembered for as long as it was given to fill, as one of the last 1024 and of the last 16 MiB
 * of them: a rank that did not get its answer, and sends the same shard again, gets it without another update.
 *
 * Thread-safe, but for sync_start and sync_free. A member belongs to its request; between sync_join and `resume` only
 * this module touches it.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/digest.h"
#include "base/err.h"

#define SYNC_STEP_MAX 128
#define SYNC_WORLD_MAX 4096
#define SYNC_TIMEOUT_MS_MAX 3600000

struct sync;
struct sync_group;

/* What a call says of the step. */
struct sync_call {
	const char *step; /* 1 to SYNC_STEP_MAX characters */
	unsigned rank, world_size;
	unsigned timeout_ms;
};

/*
 * A shard's moments. Arrays of `features` doubles, of the member's request; NULL where there is nothing (an empty
 * shard; sums of training).
 */
struct sync_shard {
	uint64_t count; /* of values a channel, without padding */
	bool empty;     /* the tensor is, there is not even padding */
	size_t features;
	const double *mean, *var;    /* 0 of padding alone */
	const double *sum, *product; /* backward: sum g, sum g (x - mean) by the shard's own mean */

	double limit; /* in training: the largest number that its output can hold; infinite where none is wanted */
};

/*
 * What all shards together came to (docs/MATH.md, equation 24). Immutable once it is there; `product` is by the pooled
 * mean.
 */
struct sync_result {
	uint64_t count;
	bool empty; /* all shards are */
	const double *mean, *var;
	const double *sum, *product;
	double limit; /* the smallest of all shards */

	/* Of training, once the leader has told. */
	uint64_t num_batches_tracked, revision;
};

struct sync_member {
	/* The caller's. */
	struct sync_shard shard;
	void (*resume)(void *arg); /* from any thread, without a lock held */
	void *arg;

	/* What came of it. */
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

/* What is shared out between all synchronized calls. */
struct sync_limits {
	struct budget *memory;   /* that the steps take theirs from; NULL: it is not counted */
	unsigned waiting_max;    /* calls that wait at once; whoever completes a step does not wait */
	unsigned timeout_ms_max; /* a call that asks for more is given this much */
};

/* Starts the thread that watches the time. NULL with `e`. */
struct sync *sync_start(const struct sync_limits *limits, struct err *e) MUST_CHECK;

/* Fails all that wait, with shutting_down, and all that come; again is fine. */
void sync_stop(struct sync *all);

/*
 * After sync_stop: waits until each leader that was at work has told, and so nobody waits any more. What the leaders
 * wait for, the store and the event loops, must still turn; gives up after SYNC_SETTLE_S.
 */
#define SYNC_SETTLE_S 10
void sync_settle(struct sync *all);

void sync_free(struct sync *all); /* after sync_stop, when no member is left; NULL is fine */

/*
 * Joins the step `call` of the layer with this id, of a kind of call (`backward`). Returns whether the member waits:
 * then `resume` will be called, perhaps before this returns. If not, the outcome is there: m->err, m->leads, m->result.
 */
bool sync_join(
    struct sync *all, int64_t layer_id, bool backward, const struct sync_call *call, struct sync_member *m) MUST_CHECK;

/*
 * The member's client is gone, or waits no longer: the member leaves its step, with `err`, and is resumed; another call
 * of its rank may still come. Nothing happens to a member that does not wait (it may not have joined yet), or whose
 * step has all its shards. From any thread, while the member's request lives.
 */
void sync_abandon(struct sync *all, struct sync_member *m, const struct err *err);

/* The leader's word to the others: what the update came to, or why there is none. */
void sync_lead(struct sync_member *m, const struct err *err, uint64_t num_batches_tracked, uint64_t revision);

/* The end of a member, whatever became of it; a zeroed one is fine. A leader that has not told fails the others. */
void sync_leave(struct sync_member *m);

#endif
