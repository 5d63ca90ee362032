/* SPDX-License-Identifier: MIT */
/*
 * Groups whose ranks reach several daemons: a thread takes the shards of our ranks to the meeting (sync/meeting.h),
 * looks whether the others have come, and has our members led or told. What the shards come to each daemon computes by
 * itself, from the same bytes in the same order.
 *
 * Of those that wait here for a step, one leads it if this daemon was the last to bring shards; otherwise all wait for
 * what another daemon tells. If that daemon does not come to an end, this one leads, under a key by which the update is
 * made once (struct sync_result's `turn`).
 *
 * All functions but remote_start and remote_end are called under the lock that remote_start was given.
 */
#pragma once

#include <pthread.h>

#include "sync/groups.h"
#include "sync/meeting.h"

struct remote {
	struct meeting *meeting;
	pthread_mutex_t *lock;
	struct sync_groups *groups;
	void (*resume)(struct sync_member *list); /* called without the lock */
	pthread_t thread;
	pthread_cond_t wake;
	struct sync_group *first; /* that it looks after */
	uint64_t rest_us;         /* until the next look */
	uint64_t purge_us;        /* when old steps are forgotten next */
	uint64_t left_until_us;   /* until then there may be steps to forget */
	bool ends;
};

/* The caller has set the first four members, and zeroed the rest. -1 with `e`: there is no thread. */
int remote_start(struct remote *r, struct err *e) MUST_CHECK;

/* Ranks have come to the group, or left it. */
void remote_note(struct remote *r, struct sync_group *g);

/* A member has left a group that fills. */
void remote_left(struct remote *r, const struct sync_member *m);

/* The member that led the group has told, or failed by `err`: the others are told too. */
void remote_told(struct remote *r, struct sync_group *g, const struct err *err);

/* The daemon ends: those that wait for other daemons fail with `err`. Leaders go on. */
void remote_refuse(struct remote *r, const struct err *err, struct sync_member **list);

/* After all leaders have told: tells the other daemons, and ends the thread. */
void remote_end(struct remote *r);
