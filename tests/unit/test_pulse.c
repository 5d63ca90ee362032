/* SPDX-License-Identifier: MIT */
/* The pulse of threads: who waits is alive, who moves is alive, and who stays at one piece of work is found. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/pulse.h"

/* A thread that does one step each time it is told to. */
enum step { WAIT, WORK, END };

struct mate {
	const char *name;
	enum step step;
	sem_t told, done;
	pthread_t thread;
	bool has;
};

static void *
follow(void *arg)
{
	struct mate *m = arg;
	bool more = true;

	pulse_begin(m->name);
	m->has = pulse_has();
	while (more) {
		sem_post(&m->done);
		sem_wait(&m->told);
		more = m->step != END;
		if (m->step == WAIT)
			pulse_wait();
		else
			pulse_work();
	}
	return NULL;
}

static void
begin(struct mate *m, const char *name)
{
	*m = (struct mate){ .name = name };
	sem_init(&m->told, 0, 0);
	sem_init(&m->done, 0, 0);
	ck_assert_int_eq(pthread_create(&m->thread, NULL, follow, m), 0);
	sem_wait(&m->done);
	ck_assert(m->has);
}

static void
tell(struct mate *m, enum step step)
{
	m->step = step;
	sem_post(&m->told);
	if (step == END)
		pthread_join(m->thread, NULL);
	else
		sem_wait(&m->done);
}

START_TEST(one_that_waits_is_never_stuck)
{
	struct mate m;

	begin(&m, "waiter");
	tell(&m, WAIT);
	for (uint64_t now_us = 0; now_us < 1000; now_us += 10)
		ck_assert_ptr_null(pulse_find_stuck(now_us, 10));
	tell(&m, END);
}
END_TEST

START_TEST(one_that_moves_is_never_stuck)
{
	struct mate m;

	begin(&m, "mover");
	for (uint64_t now_us = 0; now_us < 1000; now_us += 10) {
		ck_assert_ptr_null(pulse_find_stuck(now_us, 10));
		tell(&m, WORK);
	}
	tell(&m, END);
}
END_TEST

START_TEST(one_that_stays_at_its_work_is_found_until_it_moves_or_ends)
{
	struct mate other, m;

	begin(&other, "other");
	begin(&m, "stuck");
	tell(&other, WAIT);
	ck_assert_ptr_null(pulse_find_stuck(100, 50));
	ck_assert_ptr_null(pulse_find_stuck(149, 50));
	ck_assert_str_eq(pulse_find_stuck(150, 50), "stuck");
	ck_assert_str_eq(pulse_find_stuck(1000, 50), "stuck");
	tell(&m, WORK);
	ck_assert_ptr_null(pulse_find_stuck(1001, 50));
	ck_assert_str_eq(pulse_find_stuck(1051, 50), "stuck");
	tell(&m, WAIT);
	ck_assert_ptr_null(pulse_find_stuck(2000, 50));
	tell(&m, WORK);
	ck_assert_ptr_null(pulse_find_stuck(3000, 50));
	tell(&m, END);
	ck_assert_ptr_null(pulse_find_stuck(4000, 50));
	tell(&other, END);
}
END_TEST

START_TEST(a_place_that_is_used_again_begins_anew)
{
	struct mate m;

	begin(&m, "first");
	ck_assert_ptr_null(pulse_find_stuck(0, 50));
	tell(&m, END);
	begin(&m, "second");
	ck_assert_ptr_null(pulse_find_stuck(100, 50));
	ck_assert_str_eq(pulse_find_stuck(150, 50), "second");
	tell(&m, END);
}
END_TEST

START_TEST(what_was_begun_at_a_mark_has_passed_when_all_have_moved)
{
	struct mate a, b;

	begin(&a, "a");
	begin(&b, "b");
	tell(&b, WAIT);
	pulse_mark();
	ck_assert(!pulse_passed());
	tell(&b, WORK);
	ck_assert(!pulse_passed());
	tell(&a, WORK);
	ck_assert(pulse_passed());
	tell(&a, WAIT);
	tell(&b, END);
	ck_assert(pulse_passed());
	tell(&a, END);
}
END_TEST

START_TEST(ended_threads_leave_their_places)
{
	struct mate m;

	for (unsigned i = 0; i < 2 * PULSE_MAX; i++) {
		begin(&m, "brief");
		tell(&m, END);
	}
}
END_TEST

START_TEST(without_a_pulse_nothing_happens)
{
	ck_assert(!pulse_has());
	pulse_wait();
	pulse_work();
	ck_assert_ptr_null(pulse_find_stuck(0, 0));
	ck_assert_ptr_null(pulse_find_stuck(1000000, 0));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("pulse");
	TCase *all = tcase_create("all");

	tcase_add_test(all, one_that_waits_is_never_stuck);
	tcase_add_test(all, one_that_moves_is_never_stuck);
	tcase_add_test(all, one_that_stays_at_its_work_is_found_until_it_moves_or_ends);
	tcase_add_test(all, a_place_that_is_used_again_begins_anew);
	tcase_add_test(all, what_was_begun_at_a_mark_has_passed_when_all_have_moved);
	tcase_add_test(all, ended_threads_leave_their_places);
	tcase_add_test(all, without_a_pulse_nothing_happens);
	suite_add_tcase(suite, all);
	return suite;
}
