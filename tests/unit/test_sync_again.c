/* SPDX-License-Identifier: MIT */
/*
 * Ranks that send again: before the step is full, while it is led, and after it; and for how many steps that are over
 * there is an answer.
 */
#include "tests/unit/sync_ranks.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

/* Before the step is full: the first call is told, the second takes its place. */
START_TEST(who_sends_again_is_replaced)
{
	struct sync *all = sync_new();
	struct rank first, again, other;

	rank_init(&first, all, "1", 0, 2, 4, 100);
	rank_init(&again, all, "1", 0, 2, 4, 1);
	rank_init(&other, all, "1", 1, 2, 4, 3);
	start_and_wait_until_it_waits(&first);
	start_and_wait_until_it_waits(&again);
	end(&first);
	ck_assert_int_eq(first.err.code, ERR_SYNC_INCOMPLETE);
	ck_assert_ptr_nonnull(strstr(first.err.detail, "again"));
	start(&other);
	end(&other);
	end(&again);
	check_result(&other, 8, 2, 0);
	check_result(&again, 8, 2, 0);
	ck_assert(other.led && !again.led);
	sync_end(all);
}
END_TEST

/* While the leader is at work: the same shard waits for its word, another one is refused. */
START_TEST(who_sends_again_while_it_is_led)
{
	struct sync *all = sync_new();
	struct rank other, leader, again, wrong;

	fill_and_lead(all, &other, &leader);
	rank_init(&again, all, "1", 0, 2, 4, 1);
	rank_init(&wrong, all, "1", 0, 2, 4, 9);
	start_and_wait_until_it_waits(&again);
	start(&wrong);
	end(&wrong);
	ck_assert(!wrong.waited);
	ck_assert_int_eq(wrong.err.code, ERR_SYNC_INCOMPLETE);
	sync_lead(&leader.member, NULL, 9, 109);
	sync_leave(&leader.member);
	end(&other);
	end(&again);
	check_result(&other, 8, 2, 9);
	check_result(&again, 8, 2, 9);
	sync_end(all);
}
END_TEST

/* After it: the same shard has the same result, and nobody leads; another one is a new step. */
START_TEST(who_sends_again_later_has_the_result)
{
	struct sync *all = sync_new();
	struct rank r[2], again, other, fresh;

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 2, 4, i == 0 ? 1 : 3);
		r[i].batches = 5;
	}
	meet(r, 2);
	for (int times = 0; times < 3; times++) {
		rank_init(&again, all, "1", 0, 2, 4, 1);
		start(&again);
		end(&again);
		ck_assert(!again.waited && !again.led);
		check_result(&again, 8, 2, 5);
	}
	rank_init(&other, all, "1", 0, 2, 4, 2);
	rank_init(&fresh, all, "1", 1, 2, 4, 4);
	start_and_wait_until_it_waits(&other);
	start(&fresh);
	end(&fresh);
	end(&other);
	check_result(&other, 8, 3, 0);
	sync_end(all);
}
END_TEST

/* A call that begins no step: it joins one that fills or is led, and has the result of the one its shard was in. */
START_TEST(who_joins_known_steps_alone)
{
	struct sync *all = sync_new();
	struct rank first, lone, leader, again, wrong;

	rank_init(&lone, all, "1", 1, 2, 4, 3);
	lone.call.known_only = true;
	ck_assert(!sync_knows(all, &lone.call));
	(void)run(&lone);
	ck_assert(!lone.waited && !lone.led && lone.err.code == ERR_NONE && lone.member.result == NULL);
	ck_assert(!sync_knows(all, &lone.call));
	rank_init(&first, all, "1", 0, 2, 4, 1);
	start_and_wait_until_it_waits(&first);
	rank_init(&leader, all, "1", 1, 2, 4, 3);
	leader.call.known_only = true;
	leader.batches = 5;
	ck_assert(sync_knows(all, &leader.call));
	(void)run(&leader);
	end(&first);
	ck_assert(leader.led);
	check_result(&leader, 8, 2, 5);
	check_result(&first, 8, 2, 5);
	rank_init(&again, all, "1", 0, 2, 4, 1);
	again.call.known_only = true;
	(void)run(&again);
	check_result(&again, 8, 2, 5);
	/* Another shard: it takes no part, and the step stays remembered. */
	rank_init(&wrong, all, "1", 0, 2, 4, 2);
	wrong.call.known_only = true;
	(void)run(&wrong);
	ck_assert(!wrong.waited && wrong.err.code == ERR_NONE && wrong.member.result == NULL);
	rank_init(&again, all, "1", 1, 2, 4, 3);
	(void)run(&again);
	check_result(&again, 8, 2, 5);
	sync_end(all);
}
END_TEST

/* More steps than are remembered; what is over is freed, as the sanitizers see. */
START_TEST(many_steps)
{
	struct sync *all = sync_new();
	char step[16];
	struct rank r;

	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(step, sizeof(step), "%u", i);
		rank_init(&r, all, step, 0, 1, 4, 1);
		r.call.timeout_ms = i % 2 == 0 ? PATIENT_MS : 1;
		r.batches = i;
		(void)run(&r);
		check_result(&r, 4, 1, i);
	}
	/* The last is remembered, the first is not, and is made anew. */
	rank_init(&r, all, "2998", 0, 1, 4, 1);
	(void)run(&r);
	ck_assert(!r.led);
	check_result(&r, 4, 1, 2998);
	rank_init(&r, all, "0", 0, 1, 4, 1);
	(void)run(&r);
	ck_assert(r.led);
	sync_end(all);
}
END_TEST

/* Wide ones: what is remembered of steps is bounded in bytes too, whatever one step needs. */
START_TEST(wide_steps)
{
	static const size_t widths[] = { 100000, 1000000 };

	for (size_t w = 0; w < 2; w++) {
		struct sync *all = sync_new();
		double *zeros = calloc(widths[w], sizeof(*zeros));
		char step[16];
		struct rank r;

		ck_assert_ptr_nonnull(zeros);
		for (unsigned i = 0; i < 10; i++) {
			/*
			 * The first five steps, then whether each is made anew: only the last of the narrower ones are
			 * remembered.
			 */
			(void)snprintf(step, sizeof(step), "%u", 4 - (i < 5 ? 4 - i : i - 5));
			rank_init(&r, all, step, 0, 1, 4, 1);
			r.member.shard.features = widths[w];
			r.member.shard.moments.mean = r.member.shard.moments.var = zeros;
			(void)run(&r);
			ck_assert_int_eq(r.err.code, ERR_NONE);
			ck_assert(r.led == (i < 5 || w == 1 || i >= 8));
		}
		free(zeros);
		sync_end(all);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_again");
	TCase *t = tcase_create("sync_again");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, who_sends_again_is_replaced);
	tcase_add_test(t, who_sends_again_while_it_is_led);
	tcase_add_test(t, who_sends_again_later_has_the_result);
	tcase_add_test(t, who_joins_known_steps_alone);
	tcase_add_test(t, many_steps);
	tcase_add_test(t, wide_steps);
	suite_add_tcase(s, t);
	return s;
}
