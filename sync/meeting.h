/* SPDX-License-Identifier: MIT */
/*
 * Where the ranks of a step meet that reach several daemons: a place that all daemons share, such as a database
 * (storage/pg_steps.c). It keeps a row for each step and the bytes of each shard, and decides, one daemon at a time,
 * whether a step fills, is led or has ended. What the shards come to each daemon computes by itself.
 *
 * One thread of a daemon uses it (sync/remote.c). Calls may wait for seconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

enum meeting_state {
	MEETING_GONE,  /* it is not there, or is another one by now */
	MEETING_FILLS, /* ranks are missing */
	MEETING_LED,   /* all ranks have come, and one daemon finishes the step */
	MEETING_DONE,  /* it has a result */
	MEETING_FAILED /* it has an error */
};

/* A step, as all daemons name it. */
struct meeting_step {
	const char *model;
	int64_t layer_id;
	bool backward;
	const char *step;
	int64_t turn; /* which of the steps of this name, never 0; 0: any, or a new one */
};

/* A rank's shard, in bytes whose meaning is the caller's. */
struct meeting_shard {
	unsigned rank;
	unsigned char digest[DIGEST_BYTES]; /* by which a repeat is recognized */
	void *bytes;                        /* malloc'ed */
	size_t length;
};

/* What a step came to. */
struct meeting_result {
	uint64_t num_batches_tracked, revision;
	double *state; /* malloc'ed: the lists that the ranks normalize by; NULL: none */
	size_t state_count;
	struct err err; /* of a step that failed */
};

/* A rank of ours whose shard the meeting has. */
struct meeting_rank {
	unsigned rank;
	unsigned char digest[DIGEST_BYTES];
	bool replaced; /* told: the meeting has another shard of this rank by now */
};

/* A visit to a step. The caller sets the first part, zeroes the rest, and frees what it is given, also on failure. */
struct meeting_visit {
	struct meeting_step step; /* `turn` is set where it was 0 */
	unsigned world_size;
	size_t features;
	unsigned timeout_ms;
	bool known_only;             /* brings nothing to a step that is not there */
	struct meeting_shard *bring; /* the caller's */
	size_t bring_count;
	struct meeting_rank *have; /* the caller's: the ranks that it has brought before */
	size_t have_count;
	const unsigned *leave; /* ranks that leave, if it still fills */
	size_t leave_count;

	enum meeting_state state;
	bool leads;                   /* this daemon must finish it, and tell: it is LED by this visit */
	int64_t changes;              /* how often a shard was replaced while it filled */
	struct meeting_shard *shards; /* malloc'ed: of all ranks, in order, once it is LED or DONE */
	struct meeting_result result; /* DONE or FAILED */
};

/* What a look at a step tells, which changes nothing. */
struct meeting_look {
	struct meeting_step step;

	int64_t changes; /* as a visit tells */
	enum meeting_state state;
	bool late; /* FILLS: its time is over; LED: the daemon that leads does not come to an end */
};

struct meeting {
	/* Errors: those of the step (bad_parameter, shape_mismatch, sync_incomplete), storage_unavailable. */
	int (*visit)(struct meeting *m, struct meeting_visit *v, struct err *e);
	int (*look)(struct meeting *m, struct meeting_look *list, size_t count, struct err *e);
	/* What a step that this daemon led came to. It is remembered for timeout_ms. */
	int (*tell)(struct meeting *m, const struct meeting_step *step, unsigned timeout_ms,
	    const struct meeting_result *result, struct err *e);
	/* Forgets steps that nobody can ask for any more. */
	void (*purge)(struct meeting *m);
	void (*close)(struct meeting *m);
};
