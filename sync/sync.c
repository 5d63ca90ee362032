/* SPDX-License-Identifier: MIT */
#include "sync/sync.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pulse.h"
#include "sync/groups.h"
#include "sync/remote.h"

#define LOOK_MAX_US ((uint64_t)60 * 1000000)

struct sync {
	pthread_t thread;
	unsigned timeout_ms_max; /* immutable */

	/* Guarded by `lock`; `wake` is signalled when the first deadline may have changed. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct sync_groups groups;
	uint64_t wake_us; /* when the thread wakes by itself */
	unsigned telling; /* leaders that are resuming the others */
	bool stopping;
	struct remote remote; /* `meeting` NULL: all ranks come here */
};

/* Resumes a list of members, linked by `next`. Called without the lock. */
static void
resume_all(struct sync_member *list)
{
	struct sync_member *next;

	for (struct sync_member *m = list; m != NULL; m = next) {
		next = m->next; /* it may be gone as soon as it is resumed */
		m->resume(m->arg);
	}
}

/* Fails groups that are late; returns when to look again. */
static uint64_t
next_look(struct sync *all, struct sync_member **list)
{
	const uint64_t now_us = clock_monotonic_us(), longest_us = now_us + LOOK_MAX_US;
	const uint64_t next_us = sync_groups_expire(&all->groups, now_us, list);

	return next_us < longest_us ? next_us : longest_us;
}

static void *
watch(void *arg)
{
	struct sync *all = arg;
	struct sync_member *list;
	struct timespec at;

	pulse_begin("sync");
	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		list = NULL;
		all->wake_us = next_look(all, &list);
		at = clock_timespec(all->wake_us);
		if (list != NULL) {
			pthread_mutex_unlock(&all->lock);
			resume_all(list);
			pthread_mutex_lock(&all->lock);
		} else {
			pulse_wait();
			(void)pthread_cond_timedwait(&all->wake, &all->lock, &at);
			pulse_work();
		}
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void
free_all(struct sync *all)
{
	sync_groups_fini(&all->groups);
	pthread_mutex_destroy(&all->lock);
	pthread_cond_destroy(&all->wake);
	free(all);
}

/* The thread that watches the deadlines, and the one that meets other daemons. */
static int
start_threads(struct sync *all, struct meeting *meeting, struct err *e)
{
	int rc;

	if (meeting != NULL) {
		all->remote = (struct remote){
			.meeting = meeting, .lock = &all->lock, .groups = &all->groups, .resume = resume_all
		};
		all->groups.shared = true;
		if (remote_start(&all->remote, e) < 0)
			return -1;
	}
	rc = pthread_create(&all->thread, NULL, watch, all);
	if (rc == 0)
		return 0;
	if (meeting != NULL)
		remote_end(&all->remote);
	return err_fail(e, ERR_OVERLOADED, "the thread of synchronized steps cannot be started: %s", strerror(rc));
}

struct sync *
sync_start(const struct sync_limits *limits, struct err *e)
{
	struct sync *all = calloc(1, sizeof(*all));

	if (all == NULL) {
		err_set_memory(e);
		return NULL;
	}
	all->timeout_ms_max = limits->timeout_ms_max;
	sync_groups_init(&all->groups, limits->memory, limits->waiting_max);
	pthread_mutex_init(&all->lock, NULL);
	clock_cond_init(&all->wake);
	if (start_threads(all, limits->meeting, e) == 0)
		return all;
	free_all(all);
	return NULL;
}

void
sync_stop(struct sync *all)
{
	struct sync_member *list = NULL;
	struct err e = { 0 };
	bool stopped;

	err_set_shutting_down(&e);
	pthread_mutex_lock(&all->lock);
	stopped = all->stopping;
	all->stopping = true;
	pthread_cond_signal(&all->wake);
	sync_groups_fail_unled(&all->groups, &e, &list);
	if (all->groups.shared)
		remote_refuse(&all->remote, &e, &list);
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	if (!stopped)
		pthread_join(all->thread, NULL);
}

void
sync_settle(struct sync *all)
{
	const struct timespec until = clock_timespec(clock_monotonic_us() + SYNC_SETTLE_S * (uint64_t)1000000);

	pthread_mutex_lock(&all->lock);
	while (all->groups.led_count > 0 || all->telling > 0)
		if (pthread_cond_timedwait(&all->wake, &all->lock, &until) != 0)
			break;
	pthread_mutex_unlock(&all->lock);
}

void
sync_free(struct sync *all)
{
	if (all == NULL)
		return;
	if (all->groups.shared)
		remote_end(&all->remote);
	free_all(all);
}

/* The group that the member belongs to now, or NULL with m->err. */
static struct sync_group *
group_for_locked(struct sync *all, const struct sync_call *call, struct sync_member *m)
{
	struct sync_group *g;

	if (all->stopping) {
		err_set_shutting_down(&m->err);
		return NULL;
	}
	g = sync_groups_get(&all->groups, call, m, clock_monotonic_us());
	if (sync_groups_next(&all->groups) < all->wake_us)
		pthread_cond_signal(&all->wake);
	return g;
}

bool
sync_join(struct sync *all, const struct sync_call *call, struct sync_member *m)
{
	struct sync_call bounded = *call;
	struct sync_member *list = NULL;
	struct sync_group *g;
	bool full = false, waits;
	struct err e = { 0 };

	m->all = all;
	if (bounded.timeout_ms > all->timeout_ms_max)
		bounded.timeout_ms = all->timeout_ms_max;
	if (sync_shard_digest(m, &m->err) < 0)
		return false;
	pthread_mutex_lock(&all->lock);
	g = group_for_locked(all, &bounded, m);
	if (g != NULL)
		full = sync_groups_join(&all->groups, g, &bounded, m, &list);
	if (g != NULL && m->waits && all->groups.shared && g->state == GROUP_FILLS)
		remote_note(&all->remote, g);
	waits = m->waits; /* while the lock is held: afterwards it may be resumed, and gone */
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	if (!full)
		return waits;
	m->leads = true;
	m->result = sync_group_pool(g, NULL, &e);
	if (m->result == NULL) {
		m->err = e;
		sync_lead(m, &e, 0, 0);
	}
	return false;
}

bool
sync_knows(struct sync *all, const struct sync_call *call)
{
	bool known = true;

	if (all->groups.shared)
		return known; /* perhaps: the meeting will tell */
	pthread_mutex_lock(&all->lock);
	known = sync_groups_know(&all->groups, call);
	pthread_mutex_unlock(&all->lock);
	return known;
}

void
sync_abandon(struct sync *all, struct sync_member *m, const struct err *err)
{
	struct sync_member *list = NULL;

	pthread_mutex_lock(&all->lock);
	if (m->waits)
		sync_groups_remove(&all->groups, m, err, &list);
	if (list != NULL && all->groups.shared)
		remote_left(&all->remote, m);
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
}

unsigned
sync_waiting(struct sync *all)
{
	unsigned waiting;

	pthread_mutex_lock(&all->lock);
	waiting = all->groups.waiting;
	pthread_mutex_unlock(&all->lock);
	return waiting;
}

void
sync_lead(struct sync_member *m, const struct err *err, uint64_t num_batches_tracked, uint64_t revision)
{
	struct sync *all = m->all;
	struct sync_member *list = NULL;

	m->leads = false;
	pthread_mutex_lock(&all->lock);
	if (all->groups.shared)
		remote_told(&all->remote, m->group, err);
	if (err != NULL)
		sync_groups_fail(&all->groups, m->group, m, err, &list);
	else
		sync_groups_tell(&all->groups, m->group, m, num_batches_tracked, revision, clock_monotonic_us(), &list);
	all->telling++;
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	pthread_mutex_lock(&all->lock);
	all->telling--;
	if (all->stopping) /* sync_settle waits */
		pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
}

void
sync_leave(struct sync_member *m)
{
	struct err e = { 0 };

	if (m->group == NULL)
		return;
	if (m->leads) {
		err_set(&e, ERR_SYNC_INCOMPLETE, "the call that should have finished the step failed");
		sync_lead(m, &e, 0, 0);
	}
	pthread_mutex_lock(&m->all->lock);
	sync_group_unref(m->group);
	pthread_mutex_unlock(&m->all->lock);
	m->group = NULL;
}
