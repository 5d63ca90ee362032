/* SPDX-License-Identifier: MIT */
#include "server/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/pulse.h"

/* Against an event loop on the same core such a thread gets a quarter of the time: large requests never starve. */
#define NICENESS 5

struct workers {
	/* Immutable; the first member, because run_work casts it back. */
	struct crew crew;

	/* The starter's. */
	unsigned thread_count;

	/* Guarded by `lock`; `wake` is signalled for each job, for parts that wait, and for all threads at the stop. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct workers_job *first, **last;
	struct crew_work *works, **last_work; /* with parts that no thread has begun */
	unsigned idle;                        /* threads that wait for `wake` */
	bool stopping;

	/* Used with `lock`; for callers that wait until the parts begun by other threads are done. */
	pthread_cond_t parts_done;

	pthread_t threads[];
};

static struct workers_job *
take_job_locked(struct workers *w)
{
	struct workers_job *job = w->first;

	w->first = job->next;
	if (w->first == NULL)
		w->last = &w->first;
	return job;
}

/* All parts of the work are begun: takes it off the list. */
static void
unlist_work_locked(struct workers *w, const struct crew_work *work)
{
	struct crew_work **at = &w->works;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	if (*at == NULL)
		w->last_work = at;
}

/* Begins the next part of a work that has one. Each thread that begins wakes one more, so that none wakes many. */
static size_t
begin_part_locked(struct workers *w, struct crew_work *work)
{
	const size_t i = work->begun++;

	if (work->begun == work->count)
		unlist_work_locked(w, work);
	if (w->works != NULL && w->idle > 0)
		pthread_cond_signal(&w->wake);
	return i;
}

/*
 * Does part `i`, with no lock held, and yields the core: with parts on all cores, an event loop that wakes up would
 * otherwise wait a few milliseconds for the end of a time slice.
 */
static void
do_part(const struct crew_work *work, size_t i)
{
	pulse_work();
	work->part(work->arg, i);
	(void)sched_yield();
}

/* On a thread of the crew: does one part of the oldest work. The lock is released meanwhile. */
static void
lend_hand_locked(struct workers *w)
{
	struct crew_work *work = w->works;
	size_t i = begin_part_locked(w, work);

	work->running++;
	pthread_mutex_unlock(&w->lock);
	do_part(work, i);
	pthread_mutex_lock(&w->lock);
	if (--work->running == 0)
		pthread_cond_broadcast(&w->parts_done);
}

/* crew_run: the caller does parts too, then waits for the parts of other threads. */
static void
run_work(struct crew *crew, struct crew_work *work)
{
	struct workers *w = (struct workers *)crew;
	size_t i;

	if (work->count == 0)
		return;
	pthread_mutex_lock(&w->lock);
	*w->last_work = work;
	w->last_work = &work->next;
	while (work->begun < work->count) {
		i = begin_part_locked(w, work);
		pthread_mutex_unlock(&w->lock);
		do_part(work, i);
		pthread_mutex_lock(&w->lock);
	}
	while (work->running > 0)
		pthread_cond_wait(&w->parts_done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

size_t
workers_waiting(struct workers *w)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (const struct workers_job *job = w->first; job != NULL; job = job->next)
		n++;
	pthread_mutex_unlock(&w->lock);
	return n;
}

struct crew *
workers_crew(struct workers *w)
{
	return &w->crew;
}

/* The next job; until there is one, helps with parts or waits. NULL: stopping, and all is done. */
static struct workers_job *
take_job(struct workers *w)
{
	struct workers_job *job = NULL;

	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && (w->works != NULL || !w->stopping)) {
		if (w->works != NULL) {
			lend_hand_locked(w);
			continue;
		}
		w->idle++;
		pulse_wait();
		pthread_cond_wait(&w->wake, &w->lock);
		pulse_work();
		w->idle--;
	}
	if (w->first != NULL)
		job = take_job_locked(w);
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void *
workers_main(void *arg)
{
	struct workers *w = arg;
	struct workers_job *job;

	/* On Linux each thread has a priority. If it cannot be lowered, the threads compete as equals. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, (id_t)gettid()) + NICENESS);
	pulse_begin("compute");
	while ((job = take_job(w)) != NULL) {
		pulse_work();
		job->run(job->arg);
	}
	return NULL;
}

struct workers *
workers_start(unsigned thread_count, struct err *e)
{
	struct workers *w = calloc(1, sizeof(*w) + thread_count * sizeof(w->threads[0]));
	int rc = 0;

	if (w == NULL) {
		err_set_memory(e);
		return NULL;
	}
	w->crew = (struct crew){ .threads = thread_count, .run = run_work };
	w->last = &w->first;
	w->last_work = &w->works;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	pthread_cond_init(&w->parts_done, NULL);
	while (rc == 0 && w->thread_count < thread_count) {
		rc = pthread_create(&w->threads[w->thread_count], NULL, workers_main, w);
		w->thread_count += rc == 0;
	}
	if (rc == 0)
		return w;
	err_set(e, ERR_OVERLOADED, "the computing threads cannot be started: %s", strerror(rc));
	workers_free(w);
	return NULL;
}

void
workers_run(struct workers *w, struct workers_job *job)
{
	bool taken;

	job->next = NULL;
	pthread_mutex_lock(&w->lock);
	taken = !w->stopping;
	if (taken) {
		*w->last = job;
		w->last = &job->next;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	if (!taken)
		job->run(job->arg);
}

void
workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (; w->thread_count > 0; w->thread_count--)
		pthread_join(w->threads[w->thread_count - 1], NULL);
}

void
workers_free(struct workers *w)
{
	if (w == NULL)
		return;
	workers_stop(w);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->parts_done);
	free(w);
}
