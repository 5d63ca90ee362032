/* SPDX-License-Identifier: MIT */
#include "server/compute.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Against an event loop on the same core such a thread gets a quarter of the time: enough that large requests never
 * starve.
 */
#define NICENESS 5

struct compute {
	/* Immutable; the first, so that who is called as a crew knows itself. */
	struct crew crew;

	/* The starter's. */
	unsigned thread_count;

	/*
	 * Guarded by `lock`; `wake` is signalled for each job, for parts that nobody has begun, and for all when it
	 * stops.
	 */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct compute_job *first, **last;
	struct crew_work *works, **last_work; /* that have parts which nobody has begun */
	unsigned idle;                        /* threads that wait for `wake` */
	bool stopping;

	/* Likewise; for whoever waits until the parts that others have begun are done. */
	pthread_cond_t parts_done;

	pthread_t threads[];
};

static struct compute_job *
take_job_locked(struct compute *c)
{
	struct compute_job *job = c->first;

	c->first = job->next;
	if (c->first == NULL)
		c->last = &c->first;
	return job;
}

/* All its parts are begun: nobody finds it any more. */
static void
unlist_work_locked(struct compute *c, const struct crew_work *work)
{
	struct crew_work **at = &c->works;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (*at == NULL)
		c->last_work = at;
}

/*
 * Begins the next part of a piece of work that has one. Whoever begins wakes one more, so that nobody spends his time
 * waking many.
 */
static size_t
begin_part_locked(struct compute *c, struct crew_work *work)
{
	const size_t i = work->begun++;

	if (work->begun == work->count)
		unlist_work_locked(c, work);
	if (c->works != NULL && c->idle > 0)
		pthread_cond_signal(&c->wake);
	return i;
}

/*
 * Does part `i`, with no lock held. Then whoever waits for this core gets it: with all cores taken by parts, an event
 * loop that wakes up would otherwise wait for the end of somebody's turn, a few milliseconds.
 */
static void
do_part(const struct crew_work *work, size_t i)
{
	work->part(work->arg, i);
	(void)sched_yield();
}

/*
 * On a thread of the crew: one part of the work that waits the longest. The lock is held before and after, and not
 * meanwhile.
 */
static void
lend_hand_locked(struct compute *c)
{
	struct crew_work *work = c->works;
	size_t i = begin_part_locked(c, work);

	work->running++;
	pthread_mutex_unlock(&c->lock);
	do_part(work, i);
	pthread_mutex_lock(&c->lock);
	if (--work->running == 0)
		pthread_cond_broadcast(&c->parts_done);
}

/* The caller does parts as well, and in the end waits for those of others. */
static void
run_work(struct crew *crew, struct crew_work *work)
{
	struct compute *c = (struct compute *)crew;
	size_t i;

	if (work->count == 0)
		return;
	pthread_mutex_lock(&c->lock);
	*c->last_work = work;
	c->last_work = &work->next;
	while (work->begun < work->count) {
		i = begin_part_locked(c, work);
		pthread_mutex_unlock(&c->lock);
		do_part(work, i);
		pthread_mutex_lock(&c->lock);
	}
	while (work->running > 0)
		pthread_cond_wait(&c->parts_done, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

struct crew *
compute_crew(struct compute *c)
{
	return &c->crew;
}

/* The next job; until there is one, lends a hand, or waits. NULL: stopping, and all is done. */
static struct compute_job *
take_job(struct compute *c)
{
	struct compute_job *job = NULL;

	pthread_mutex_lock(&c->lock);
	while (c->first == NULL && (c->works != NULL || !c->stopping)) {
		if (c->works != NULL) {
			lend_hand_locked(c);
			continue;
		}
		c->idle++;
		pthread_cond_wait(&c->wake, &c->lock);
		c->idle--;
	}
	if (c->first != NULL)
		job = take_job_locked(c);
	pthread_mutex_unlock(&c->lock);
	return job;
}

static void *
compute_main(void *arg)
{
	struct compute *c = arg;
	struct compute_job *job;

	(void)pthread_setname_np(pthread_self(), "compute"); /* for who looks with top */
	/* Linux has a priority for each thread. Where it cannot be lowered, the threads compete as equals. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, (id_t)gettid()) + NICENESS);
	while ((job = take_job(c)) != NULL)
		job->run(job->arg);
	return NULL;
}

struct compute *
compute_start(unsigned thread_count, struct err *e)
{
	struct compute *c = calloc(1, sizeof(*c) + thread_count * sizeof(c->threads[0]));
	int rc = 0;

	if (c == NULL) {
		err_set_memory(e);
		return NULL;
	}
	c->crew = (struct crew){ .threads = thread_count, .run = run_work };
	c->last = &c->first;
	c->last_work = &c->works;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	pthread_cond_init(&c->parts_done, NULL);
	while (rc == 0 && c->thread_count < thread_count) {
		rc = pthread_create(&c->threads[c->thread_count], NULL, compute_main, c);
		c->thread_count += rc == 0;
	}
	if (rc == 0)
		return c;
	err_set(e, ERR_OVERLOADED, "the computing threads cannot be started: %s", strerror(rc));
	compute_free(c);
	return NULL;
}

void
compute_run(struct compute *c, struct compute_job *job)
{
	bool taken;

	job->next = NULL;
	pthread_mutex_lock(&c->lock);
	taken = !c->stopping;
	if (taken) {
		*c->last = job;
		c->last = &job->next;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	if (!taken)
		job->run(job->arg);
}

void
compute_stop(struct compute *c)
{
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	for (; c->thread_count > 0; c->thread_count--)
		pthread_join(c->threads[c->thread_count - 1], NULL);
}

void
compute_free(struct compute *c)
{
	if (c == NULL)
		return;
	compute_stop(c);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	pthread_cond_destroy(&c->parts_done);
	free(c);
}
