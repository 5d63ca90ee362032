/* SPDX-License-Identifier: MIT */
/* server/workers.c: each job is run once, in order; no job is lost when the pool stops; later the caller runs them. */
#include "server/workers.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

enum { JOBS = 2000, SUBMITTERS = 4 };

struct counted {
	struct workers_job job;
	struct tally *tally;
	unsigned number;
	pthread_t ran_on;
};

struct tally {
	atomic_uint count;
	unsigned order[JOBS]; /* the numbers, as they were run */
};

static struct workers *
started(unsigned thread_count)
{
	struct err e = { 0 };
	struct workers *w = workers_start(thread_count, &e);

	ck_assert_msg(w != NULL, "%s", e.detail);
	return w;
}

static void
count(void *arg)
{
	struct counted *one = arg;

	one->ran_on = pthread_self();
	one->tally->order[atomic_fetch_add(&one->tally->count, 1) % JOBS] = one->number;
}

static struct counted *
counted_jobs(struct tally *tally)
{
	struct counted *jobs = calloc(JOBS, sizeof(*jobs));

	for (unsigned i = 0; i < JOBS; i++)
		jobs[i] = (struct counted){ .job = { .run = count, .arg = &jobs[i] }, .tally = tally, .number = i };
	return jobs;
}

/* One thread keeps the order; what waits when it is stopped is done first, and not by the caller. */
START_TEST(in_turn)
{
	struct tally tally = { 0 };
	struct counted *jobs = counted_jobs(&tally);
	struct workers *w = started(1);

	for (unsigned i = 0; i < JOBS; i++)
		workers_run(w, &jobs[i].job);
	workers_stop(w);
	ck_assert_uint_eq(tally.count, JOBS);
	for (unsigned i = 0; i < JOBS; i++) {
		ck_assert_uint_eq(tally.order[i], i);
		ck_assert(!pthread_equal(jobs[i].ran_on, pthread_self()));
	}
	workers_free(w);
	free(jobs);
}
END_TEST

START_TEST(after_stop)
{
	struct tally tally = { 0 };
	struct counted *jobs = counted_jobs(&tally);
	struct workers *w = started(2);

	workers_stop(w);
	workers_run(w, &jobs[7].job);
	ck_assert_uint_eq(tally.count, 1);
	ck_assert(pthread_equal(jobs[7].ran_on, pthread_self()));
	workers_free(w);
	free(jobs);
}
END_TEST

/* A job may be gone once it has run. */
static void
count_and_free(void *arg)
{
	struct counted *one = arg;

	atomic_fetch_add(&one->tally->count, 1);
	free(one);
}

struct submitter {
	struct workers *workers;
	struct tally *tally;
	pthread_t thread;
};

static void *
submit_many(void *arg)
{
	const struct submitter *s = arg;
	struct counted *one;

	for (unsigned i = 0; i < JOBS; i++) {
		one = calloc(1, sizeof(*one));
		*one = (struct counted){ .job = { .run = count_and_free, .arg = one }, .tally = s->tally };
		workers_run(s->workers, &one->job);
	}
	return NULL;
}

/* Many threads submit while it is stopped: each job is run once, by whomever. */
START_TEST(stop_amid_jobs)
{
	struct tally tally = { 0 };
	struct workers *w = started(3);
	struct submitter submitters[SUBMITTERS];

	for (unsigned i = 0; i < SUBMITTERS; i++) {
		submitters[i] = (struct submitter){ .workers = w, .tally = &tally };
		ck_assert_int_eq(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
	}
	while (atomic_load(&tally.count) < JOBS)
		sched_yield();
	workers_stop(w);
	for (unsigned i = 0; i < SUBMITTERS; i++)
		pthread_join(submitters[i].thread, NULL);
	ck_assert_uint_eq(tally.count, SUBMITTERS * JOBS);
	workers_free(w);
}
END_TEST

static void
note_priority(void *arg)
{
	*(int *)arg = getpriority(PRIO_PROCESS, (id_t)gettid());
}

/* The threads give way, and only they. */
START_TEST(priority)
{
	const int own = getpriority(PRIO_PROCESS, (id_t)gettid());
	int theirs = own;
	struct workers_job job = { .run = note_priority, .arg = &theirs };
	struct workers *w = started(1);

	workers_run(w, &job);
	workers_free(w);
	ck_assert(theirs > own || own >= 19);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)gettid()), own);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("workers");
	TCase *all = tcase_create("workers");

	tcase_add_test(all, in_turn);
	tcase_add_test(all, after_stop);
	tcase_add_test(all, stop_amid_jobs);
	tcase_add_test(all, priority);
	suite_add_tcase(suite, all);
	return suite;
}
