/* SPDX-License-Identifier: MIT */
/*
 * What the shards of a synchronized step come to, whoever meets: pooled moments, sums of gradients, and what is none.
 * How moments are pooled is test_pool.c's.
 */
#include "tests/unit/sync_ranks.h"

#include "tests/unit/unit.h"

START_TEST(shards_of_any_size)
{
	static const uint64_t counts[] = { 5, 0, 1, 2 };
	struct sync *all = sync_new();
	struct rank r[4];

	for (unsigned i = 0; i < 4; i++) {
		rank_init(&r[i], all, "1", i, 4, counts[i], 10.0 * i);
		r[i].batches = 3;
		/* That of the shard that is empty does not count. */
		r[i].member.shard.limit = i == 1 ? 10 : 100 - i;
	}
	meet(r, 4);
	for (unsigned i = 0; i < 4; i++) {
		check_result(&r[i], 8, (20 + 60) / 8.0, 3);
		ck_assert(!r[i].result.whole.empty);
		/* Within and between: (5 1 + 1 1 + 2 1 + 5 10^2 + 1 10^2 + 2 20^2) / 8 about the mean 10. */
		ck_assert(fabs(r[i].result_var[0] - (8 + 500 + 100 + 800) / 8.0) <= 1e-11);
		ck_assert(r[i].result.whole.limit == 97);
	}
	ck_assert_uint_eq(leaders(r, 4), 1);
	sync_end(all);
}
END_TEST

/* The sums of all, about the pooled mean. */
START_TEST(gradients_are_summed)
{
	struct sync *all = sync_new();
	struct rank r[2];

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 2, 4, i == 0 ? 1 : 3);
		r[i].call.backward = true;
		r[i].product[0] = 5;
		r[i].member.shard.sum = r[i].sum;
		r[i].member.shard.product = r[i].product;
	}
	meet(r, 2);
	for (unsigned i = 0; i < 2; i++) {
		check_result(&r[i], 8, 2, 0);
		ck_assert(r[i].result_sum[0] == 3 && r[i].result_sum[1] == 20);
		/* 5 + (1 - 2) 1 + 5 + (3 - 2) 2; (-1 + 2) 10 + (-3 + 2) 10 */
		ck_assert(r[i].result_product[0] == 11 && r[i].result_product[1] == 0);
	}
	sync_end(all);
}
END_TEST

START_TEST(sixty_four_ranks)
{
	static struct rank r[2][64];
	struct sync *all = sync_new();

	for (unsigned i = 0; i < 64; i++)
		for (unsigned step = 0; step < 2; step++) {
			rank_init(&r[step][i], all, step == 0 ? "a" : "b", i, 64, i % 3, i);
			start(&r[step][i]);
		}
	for (unsigned step = 0; step < 2; step++) {
		for (unsigned i = 0; i < 64; i++)
			end(&r[step][i]);
		ck_assert_uint_eq(leaders(r[step], 64), 1);
		/* The parts are pooled in the order of their ranks, whoever came first: both steps to the bit. */
		for (unsigned i = 0; i < 64; i++) {
			check_result(&r[step][i], 63, 1995.0 / 63, 0);
			ck_assert(
			    memcmp(r[step][i].result_mean, r[0][0].result_mean, sizeof(r[0][0].result_mean)) == 0);
			ck_assert(memcmp(r[step][i].result_var, r[0][0].result_var, sizeof(r[0][0].result_var)) == 0);
		}
	}
	sync_end(all);
}
END_TEST

/* Moments that overflow together: the leader has the error at once, and the others too. */
START_TEST(the_whole_batch_overflows)
{
	struct sync *all = sync_new();
	struct rank r[3];

	for (unsigned i = 0; i < 3; i++)
		rank_init(&r[i], all, "1", i, 3, 4, i == 0 ? 1.7e308 : -1.7e308);
	meet(r, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(r[i].err.code, ERR_NON_FINITE_INPUT);
	ck_assert_uint_eq(leaders(r, 3), 0);
	sync_end(all);
}
END_TEST

/* Nothing at all is a step too. */
START_TEST(all_shards_are_empty)
{
	struct sync *all = sync_new();
	struct rank r[3];

	for (unsigned i = 0; i < 3; i++)
		rank_init(&r[i], all, "1", i, 3, 0, 1);
	meet(r, 3);
	for (unsigned i = 0; i < 3; i++) {
		check_result(&r[i], 0, 0, 0);
		ck_assert(r[i].result.whole.empty);
	}
	sync_end(all);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_sums");
	TCase *t = tcase_create("sync_sums");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, shards_of_any_size);
	tcase_add_test(t, gradients_are_summed);
	tcase_add_test(t, sixty_four_ranks);
	tcase_add_test(t, the_whole_batch_overflows);
	tcase_add_test(t, all_shards_are_empty);
	suite_add_tcase(s, t);
	return s;
}
