/* SPDX-License-Identifier: MIT */
/*
 * Where the ranks of a synchronized step meet, with a thread for each: which steps are apart, who never comes, who
 * leads and fails, and that nobody is forgotten.
 */
#include "tests/unit/sync_ranks.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

/* Steps by other names, of other layers, of the other kind of call: each by itself. */
START_TEST(steps_are_apart)
{
	struct sync *all = sync_new();
	struct rank r[4][2];

	for (unsigned i = 0; i < 2; i++)
		for (unsigned step = 0; step < 4; step++) {
			rank_init(&r[step][i], all, step == 1 ? "2" : "1", i, 2, 4, step);
			r[step][i].call.layer_id = step == 2 ? LAYER + 1 : LAYER;
			r[step][i].call.backward = step == 3;
			r[step][i].member.shard.sum = r[step][i].sum;
			r[step][i].member.shard.product = r[step][i].product;
			r[step][i].batches = step;
			start(&r[step][i]);
		}
	for (unsigned step = 0; step < 4; step++) {
		for (unsigned i = 0; i < 2; i++) {
			end(&r[step][i]);
			check_result(&r[step][i], 8, step, step);
		}
		ck_assert_uint_eq(leaders(r[step], 2), 1);
	}
	sync_end(all);
}
END_TEST

START_TEST(worlds_and_features_that_differ)
{
	struct sync *all = sync_new();
	struct rank first, world, features;

	rank_init(&first, all, "1", 0, 2, 4, 1);
	first.call.timeout_ms = 300;
	rank_init(&world, all, "1", 1, 3, 4, 1);
	rank_init(&features, all, "1", 1, 2, 4, 1);
	features.member.shard.features = 1;
	start_and_wait_until_it_waits(&first);
	start(&world);
	start(&features);
	end(&world);
	end(&features);
	ck_assert_int_eq(world.err.code, ERR_BAD_PARAMETER);
	ck_assert_int_eq(features.err.code, ERR_SHAPE_MISMATCH);
	end(&first);
	ck_assert_int_eq(first.err.code, ERR_SYNC_INCOMPLETE);
	sync_end(all);
}
END_TEST

START_TEST(who_never_comes)
{
	const uint64_t began_us = clock_monotonic_us();
	struct sync *all = sync_new();
	struct rank r[2], late;

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 3, 4, 1);
		r[i].call.timeout_ms = 100;
		start(&r[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		end(&r[i]);
		ck_assert_int_eq(r[i].err.code, ERR_SYNC_INCOMPLETE);
		ck_assert_ptr_nonnull(strstr(r[i].err.detail, "2 of 3"));
	}
	ck_assert_uint_ge(clock_monotonic_us() - began_us, 100000);
	/* Who comes after that begins anew. */
	rank_init(&late, all, "1", 2, 3, 4, 1);
	late.call.timeout_ms = 1;
	start(&late);
	end(&late);
	ck_assert_ptr_nonnull(strstr(late.err.detail, "1 of 3"));
	sync_end(all);
}
END_TEST

START_TEST(stop_while_some_wait)
{
	struct sync *all = sync_new();
	struct rank r[3], late;

	for (unsigned i = 0; i < 3; i++) {
		rank_init(&r[i], all, i < 2 ? "1" : "2", i, 4, 4, 1);
		start_and_wait_until_it_waits(&r[i]);
	}
	sync_stop(all);
	for (unsigned i = 0; i < 3; i++) {
		end(&r[i]);
		ck_assert_int_eq(r[i].err.code, ERR_SHUTTING_DOWN);
	}
	rank_init(&late, all, "1", 3, 4, 4, 1);
	start(&late);
	end(&late);
	ck_assert_int_eq(late.err.code, ERR_SHUTTING_DOWN);
	sync_free(all);
}
END_TEST

static void *
lead_soon(void *arg)
{
	struct rank *leader = arg;

	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	sync_lead(&leader->member, NULL, 9, 109);
	return NULL;
}

/* A step that is full is finished all the same, and who settles waits until its members have been resumed. */
START_TEST(stop_while_one_leads)
{
	struct sync *all = sync_new();
	struct rank other, leader;
	pthread_t thread;

	fill_and_lead(all, &other, &leader);
	sync_stop(all);
	ck_assert_int_eq(pthread_create(&thread, NULL, lead_soon, &leader), 0);
	sync_settle(all);
	pthread_mutex_lock(&other.lock);
	ck_assert(other.resumed);
	pthread_mutex_unlock(&other.lock);
	pthread_join(thread, NULL);
	sync_leave(&leader.member);
	end(&other);
	check_result(&other, 8, 2, 9);
	sync_free(all);
}
END_TEST

/* Its error is everybody's, and the step may be made anew. */
START_TEST(the_leader_fails)
{
	struct sync *all = sync_new();
	struct rank r[2];

	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2; i++) {
			rank_init(&r[i], all, "1", i, 2, 4, 1);
			if (round == 0)
				err_set(&r[i].says, ERR_STORAGE_FULL, "no room");
		}
		meet(r, 2);
		ck_assert_uint_eq(leaders(r, 2), 1);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_int_eq(r[i].led || round == 1 ? ERR_NONE : ERR_STORAGE_FULL, r[i].err.code);
	}
	sync_end(all);
}
END_TEST

/* Its request ends before it could tell, as when its client hangs up. */
START_TEST(the_leader_leaves)
{
	struct sync *all = sync_new();
	struct rank other, leader;

	fill_and_lead(all, &other, &leader);
	sync_leave(&leader.member);
	end(&other);
	ck_assert_int_eq(other.err.code, ERR_SYNC_INCOMPLETE);
	sync_end(all);
}
END_TEST

/* A member that has joined nothing, and a service that was never started. */
START_TEST(nothing_to_leave)
{
	struct sync_member m = { 0 };

	sync_leave(&m);
	sync_free(NULL);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_meeting");
	TCase *t = tcase_create("sync_meeting");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, steps_are_apart);
	tcase_add_test(t, worlds_and_features_that_differ);
	tcase_add_test(t, who_never_comes);
	tcase_add_test(t, stop_while_some_wait);
	tcase_add_test(t, stop_while_one_leads);
	tcase_add_test(t, the_leader_fails);
	tcase_add_test(t, the_leader_leaves);
	tcase_add_test(t, nothing_to_leave);
	suite_add_tcase(s, t);
	return s;
}
