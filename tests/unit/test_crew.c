/* SPDX-License-Identifier: MIT */
/*
 * The computing threads as a crew (base/crew.h): each part is done once, whoever is idle joins, nobody is waited for
 * who has not begun, and nobody looks at a piece of work that is over.
 */
#include "base/crew.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "server/workers.h"
#include "unit.h"

enum { PARTS = 500, ROUNDS = 300, CALLERS = 3 };

static struct workers *
started(unsigned thread_count)
{
	struct err e = { 0 };
	struct workers *w = workers_start(thread_count, &e);

	ck_assert_msg(w != NULL, "%s", e.detail);
	return w;
}

/* How often each part was done. */
struct tally {
	atomic_uint done[PARTS];
	atomic_uint total;
};

static void
count_part(void *arg, size_t i)
{
	struct tally *t = arg;

	atomic_fetch_add(&t->done[i], 1);
	atomic_fetch_add(&t->total, 1);
}

/* A piece of work on the stack, as the callers have it: it is gone when this returns. */
static void
check_once_each(struct crew *crew, size_t count)
{
	struct tally t = { 0 };

	crew_run(crew, count, count_part, &t);
	ck_assert_uint_eq(atomic_load(&t.total), count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(atomic_load(&t.done[i]), 1);
}

START_TEST(without_a_crew)
{
	check_once_each(NULL, 0);
	check_once_each(NULL, PARTS);
}
END_TEST

/* With 0 to 4 threads that are idle, or were a moment ago. */
START_TEST(each_part_once)
{
	struct workers *w = started((unsigned)_i);

	for (unsigned i = 0; i < ROUNDS; i++)
		for (size_t count = 0; count <= PARTS; count = 3 * count + 1)
			check_once_each(workers_crew(w), count);
	workers_free(w);
}
END_TEST

/* A part that ends when another has begun: only with two threads does it end. */
struct meeting {
	atomic_uint there;
	pthread_t threads[2];
};

static void
meet(void *arg, size_t i)
{
	struct meeting *m = arg;

	m->threads[i] = pthread_self();
	atomic_fetch_add(&m->there, 1);
	while (atomic_load(&m->there) < 2)
		sched_yield();
}

START_TEST(idle_ones_join)
{
	struct workers *w = started(1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct meeting m = { 0 };

		crew_run(workers_crew(w), 2, meet, &m);
		ck_assert(!pthread_equal(m.threads[0], m.threads[1]));
		ck_assert(pthread_equal(m.threads[0], pthread_self()) || pthread_equal(m.threads[1], pthread_self()));
	}
	workers_free(w);
}
END_TEST

/* A job that keeps its thread until it is let go. */
struct busy {
	struct workers_job job;
	atomic_bool begun, let_go;
};

static void
keep_busy(void *arg)
{
	struct busy *b = arg;

	atomic_store(&b->begun, true);
	while (!atomic_load(&b->let_go))
		sched_yield();
}

/* The only thread has a job that does not end before the work does: the caller does all, and waits for nobody. */
START_TEST(busy_ones_are_not_waited_for)
{
	struct workers *w = started(1);
	struct busy b = { .job = { .run = keep_busy, .arg = &b } };

	workers_run(w, &b.job);
	while (!atomic_load(&b.begun))
		sched_yield();
	check_once_each(workers_crew(w), PARTS);
	atomic_store(&b.let_go, true);
	workers_free(w);
}
END_TEST

/* A part that is done when a job has been. The job is submitted when a thread of the crew has begun a part. */
struct urgent {
	struct workers *workers;
	struct workers_job job;
	pthread_t caller;
	atomic_bool submitted, done;
	atomic_uint parts_between; /* begun by the crew after the job was there, and before it was done */
};

static void
be_done(void *arg)
{
	struct urgent *u = arg;

	atomic_store(&u->done, true);
}

static void
submit_in_part(void *arg, size_t i)
{
	struct urgent *u = arg;

	(void)i;
	if (pthread_equal(pthread_self(), u->caller)) {
		while (!atomic_load(&u->done))
			sched_yield();
		return;
	}
	if (atomic_load(&u->submitted) && !atomic_load(&u->done))
		atomic_fetch_add(&u->parts_between, 1);
	if (!atomic_exchange(&u->submitted, true))
		workers_run(u->workers, &u->job);
}

/*
 * A job comes before the next part: it is done by the one thread, which lends a hand, while the caller waits for it in
 * a part.
 */
START_TEST(jobs_come_first)
{
	struct workers *w = started(1);
	struct urgent u = { .workers = w, .job = { .run = be_done, .arg = &u }, .caller = pthread_self() };

	crew_run(workers_crew(w), PARTS, submit_in_part, &u);
	ck_assert(atomic_load(&u.done));
	ck_assert_uint_eq(atomic_load(&u.parts_between), 0);
	workers_free(w);
}
END_TEST

struct caller {
	struct crew *crew;
	pthread_t thread;
	atomic_uint *rounds;
};

static void *
call_many(void *arg)
{
	const struct caller *self = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		check_once_each(self->crew, 1 + (i * 37) % PARTS);
		atomic_fetch_add(self->rounds, 1);
	}
	return NULL;
}

static void
start_callers(struct caller *callers, struct workers *w, atomic_uint *rounds)
{
	for (unsigned i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ .crew = workers_crew(w), .rounds = rounds };
		ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
	}
}

/* Several at once share whoever is idle; in the middle of it the threads stop, and the callers go on alone. */
START_TEST(callers_at_once_and_a_stop)
{
	struct workers *w = started(2);
	struct caller callers[CALLERS];
	atomic_uint rounds = 0;

	start_callers(callers, w, &rounds);
	while (atomic_load(&rounds) < ROUNDS / 2)
		sched_yield();
	workers_stop(w);
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(callers[i].thread, NULL);
	ck_assert_uint_eq(atomic_load(&rounds), CALLERS * ROUNDS);
	workers_free(w);
}
END_TEST

/* As the daemon has it: who calls is a job on one of the threads. */
struct calling_job {
	struct workers_job job;
	struct crew *crew;
	atomic_uint *left;
};

static void
call_in_job(void *arg)
{
	struct calling_job *j = arg;

	check_once_each(j->crew, PARTS);
	atomic_fetch_sub(j->left, 1);
}

START_TEST(jobs_call_one_another)
{
	struct workers *w = started(3);
	struct calling_job jobs[50];
	atomic_uint left = 50;

	for (unsigned i = 0; i < 50; i++) {
		jobs[i] = (struct calling_job){
			.job = { .run = call_in_job, .arg = &jobs[i] }, .crew = workers_crew(w), .left = &left
		};
		workers_run(w, &jobs[i].job);
	}
	workers_free(w);
	ck_assert_uint_eq(atomic_load(&left), 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("crew");
	TCase *all = tcase_create("crew");

	tcase_set_timeout(all, 300); /* beside other work */
	tcase_add_test(all, without_a_crew);
	tcase_add_loop_test(all, each_part_once, 0, 5);
	tcase_add_test(all, idle_ones_join);
	tcase_add_test(all, busy_ones_are_not_waited_for);
	tcase_add_test(all, jobs_come_first);
	tcase_add_test(all, callers_at_once_and_a_stop);
	tcase_add_test(all, jobs_call_one_another);
	suite_add_tcase(suite, all);
	return suite;
}
