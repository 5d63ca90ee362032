/* SPDX-License-Identifier: MIT */
/*
 * The groups of synchronized steps at times that are given, without a thread: what is in time, for how long a step is
 * remembered, and who is put on the list of those to be resumed. That threads find one another by it is
 * test_sync_meeting.c's.
 */
#include "sync/groups.h"

#include <string.h>

#include "tests/unit/unit.h"

#define LAYER 7
#define SECOND ((uint64_t)1000000)
#define BEGIN (1000 * SECOND)

static const double zeros[2], ones[2] = { 1, 1 };

/* A rank's call, to come within a second, with a shard that `count` tells from others. */
struct rank {
	struct sync_call call;
	struct sync_member member;
};

static void
rank_init(struct rank *r, unsigned rank, unsigned world, uint64_t count)
{
	struct err e;

	memset(r, 0, sizeof(*r));
	r->call = (struct sync_call){ LAYER, false, "1", rank, world, 1000, false, NULL };
	r->member.shard =
	    (struct shard){ .moments = { count, zeros, zeros }, .features = 2, .sum = zeros, .product = zeros };
	ck_assert_int_eq(sync_shard_digest(&r->member, &e), 0);
}

/* It comes; whether the group is full. */
static bool
come(struct sync_groups *all, struct rank *r, uint64_t now_us, struct sync_member **list)
{
	struct sync_group *g = sync_groups_get(all, &r->call, &r->member, now_us);

	ck_assert_ptr_nonnull(g);
	return sync_groups_join(all, g, &r->call, &r->member, list);
}

/* Both ranks of a world of two come, and the second leads. */
static void
fill(struct sync_groups *all, struct rank r[2])
{
	struct sync_member *list = NULL;

	for (unsigned i = 0; i < 2; i++)
		rank_init(&r[i], i, 2, 4 + i);
	ck_assert(!come(all, &r[0], BEGIN, &list));
	ck_assert(all->led_count == 0);
	ck_assert(come(all, &r[1], BEGIN, &list));
	ck_assert(all->led_count > 0);
	ck_assert(r[0].member.waits && !r[1].member.waits);
	ck_assert_ptr_null(list);
}

START_TEST(in_time_and_late)
{
	struct sync_groups all = { .waiting_max = 1000 };
	struct sync_member *list = NULL;
	struct rank r;

	rank_init(&r, 1, 2, 4);
	ck_assert(!come(&all, &r, BEGIN, &list));
	ck_assert_uint_eq(sync_groups_expire(&all, BEGIN + SECOND - 1, &list), BEGIN + SECOND);
	ck_assert(r.member.waits);
	ck_assert_ptr_null(list);
	ck_assert_uint_gt(sync_groups_expire(&all, BEGIN + SECOND, &list), BEGIN + SECOND);
	ck_assert_ptr_eq(list, &r.member);
	ck_assert(!r.member.waits);
	ck_assert_int_eq(r.member.err.code, ERR_SYNC_INCOMPLETE);
	ck_assert_uint_eq(all.count, 0);
	sync_group_unref(r.member.group);
	sync_groups_fini(&all);
}
END_TEST

/* However long the leader takes: it will tell, and is the only one who is not on the list. */
START_TEST(no_deadline_while_it_is_led)
{
	struct sync_groups all = { .waiting_max = 1000 };
	const struct err down = { .code = ERR_SHUTTING_DOWN };
	struct sync_member *list = NULL;
	struct rank r[2];

	fill(&all, r);
	(void)sync_groups_expire(&all, BEGIN + 100 * SECOND, &list);
	sync_groups_fail_unled(&all, &down, &list);
	ck_assert_ptr_null(list);
	sync_groups_tell(&all, r[1].member.group, &r[1].member, 3, 103, BEGIN + 100 * SECOND, &list);
	ck_assert_ptr_eq(list, &r[0].member);
	ck_assert_ptr_null(list->next);
	ck_assert_int_eq(r[0].member.err.code, ERR_NONE);
	ck_assert_uint_eq(r[0].member.result->num_batches_tracked, 3);
	ck_assert_uint_eq(r[0].member.result->revision, 103);
	for (unsigned i = 0; i < 2; i++)
		sync_group_unref(r[i].member.group);
	sync_groups_fini(&all);
}
END_TEST

/* For as long as it was given to fill, from when it was done. */
START_TEST(how_long_it_is_remembered)
{
	struct sync_groups all = { .waiting_max = 1000 };
	const uint64_t done_us = BEGIN + SECOND / 2;
	struct sync_member *list = NULL;
	struct rank r[2], again;

	fill(&all, r);
	sync_groups_tell(&all, r[1].member.group, &r[1].member, 3, 103, done_us, &list);
	ck_assert_uint_eq(sync_groups_expire(&all, done_us + SECOND - 1, &list), done_us + SECOND);
	rank_init(&again, 0, 2, 4);
	ck_assert(!come(&all, &again, done_us + SECOND - 1, &list));
	ck_assert_ptr_eq(again.member.result, r[0].member.result);
	(void)sync_groups_expire(&all, done_us + SECOND, &list);
	ck_assert_uint_eq(all.count, 0);
	ck_assert_uint_eq(all.done_count, 0);
	ck_assert_uint_eq(all.done_bytes, 0);
	ck_assert_uint_eq(again.member.result->revision, 103); /* while a member has it */
	for (unsigned i = 0; i < 2; i++)
		sync_group_unref(r[i].member.group);
	sync_group_unref(again.member.group);
	sync_groups_fini(&all);
}
END_TEST

/* The nth of what makes a call another one than it was. */
static bool
change(struct rank *r, unsigned nth)
{
	struct shard *s = &r->member.shard;
	const double **const arrays[] = { &s->moments.mean, &s->moments.var, &s->sum, &s->product };
	struct err e;

	if (nth < 4)
		*arrays[nth] = ones;
	else if (nth == 4)
		s->moments.count++;
	else if (nth == 5)
		r->call.world_size++;
	else if (nth == 6)
		s->empty = true;
	else if (nth == 7)
		s->limit = 1;
	else
		return false;
	ck_assert_int_eq(sync_shard_digest(&r->member, &e), 0);
	return true;
}

/*
 * A shard that differs in anything, or another world: not answered by what is remembered, but the first of a new step.
 */
START_TEST(what_is_no_repeat)
{
	const struct err down = { .code = ERR_SHUTTING_DOWN };
	struct rank r[2], again;

	for (unsigned nth = 0;; nth++) {
		struct sync_groups all = { .waiting_max = 1000 };
		struct sync_member *list = NULL;

		rank_init(&again, 0, 2, 4);
		if (!change(&again, nth))
			break;
		fill(&all, r);
		sync_groups_tell(&all, r[1].member.group, &r[1].member, 3, 103, BEGIN, &list);
		ck_assert(!come(&all, &again, BEGIN, &list));
		ck_assert_msg(again.member.waits && again.member.result == NULL, "change %u is a repeat", nth);
		sync_groups_fail_unled(&all, &down, &list);
		for (unsigned i = 0; i < 2; i++)
			sync_group_unref(r[i].member.group);
		sync_group_unref(again.member.group);
		sync_groups_fini(&all);
	}
}
END_TEST

/* All but the leader are told, the repeat that came late too, and nothing is remembered. */
START_TEST(a_leader_fails)
{
	struct sync_groups all = { .waiting_max = 1000 };
	const struct err full = { .code = ERR_STORAGE_FULL };
	struct sync_member *list = NULL;
	struct rank r[2], late;

	fill(&all, r);
	rank_init(&late, 0, 2, 4);
	ck_assert(!come(&all, &late, BEGIN, &list));
	ck_assert(late.member.waits);
	sync_groups_fail(&all, r[1].member.group, &r[1].member, &full, &list);
	ck_assert_int_eq(late.member.err.code, ERR_STORAGE_FULL);
	ck_assert_int_eq(r[0].member.err.code, ERR_STORAGE_FULL);
	ck_assert_int_eq(r[1].member.err.code, ERR_NONE);
	ck_assert_ptr_nonnull(list->next);
	ck_assert_ptr_null(list->next->next);
	ck_assert_uint_eq(all.count, 0);
	for (unsigned i = 0; i < 2; i++)
		sync_group_unref(r[i].member.group);
	sync_group_unref(late.member.group);
	sync_groups_fini(&all);
}
END_TEST

/* It has no share in moments and sums; the batch is not empty; and another such shard is no repeat. */
START_TEST(padding_alone)
{
	static const double mean[] = { 1, 2 }, var[] = { 1, 3 }, sum[] = { 3, 5 }, product[] = { 7, 11 };
	const struct shard shards[] = {
		{ .moments = { 4, mean, var }, .features = 2, .sum = sum, .product = product, .limit = 6 },
		{ .moments = { 0, zeros, zeros }, .features = 2, .sum = zeros, .product = zeros, .limit = 5 },
		{ .features = 2, .empty = true, .limit = 1 },
	};
	struct sync_groups all = { .waiting_max = 1000 };
	struct sync_member *list = NULL;
	struct sync_group *g = NULL;
	struct rank r[3], other;
	const struct sync_result *result;
	struct err e;

	for (unsigned i = 0; i < 3; i++) {
		rank_init(&r[i], i, 3, 0);
		r[i].member.shard = shards[i];
		ck_assert_int_eq(sync_shard_digest(&r[i].member, &e), 0);
		r[i].call.backward = true;
		g = sync_groups_get(&all, &r[i].call, &r[i].member, BEGIN);
		ck_assert_int_eq(sync_groups_join(&all, g, &r[i].call, &r[i].member, &list), i == 2);
	}
	result = sync_group_pool(g, NULL, &e);
	ck_assert_ptr_nonnull(result);
	ck_assert_uint_eq(result->whole.moments.count, 4);
	ck_assert(!result->whole.empty);
	ck_assert(result->whole.moments.mean[0] == 1 && result->whole.moments.mean[1] == 2 &&
	    result->whole.moments.var[0] == 1 && result->whole.moments.var[1] == 3);
	ck_assert(result->whole.sum[0] == 3 && result->whole.sum[1] == 5);
	ck_assert(result->whole.product[0] == 7 && result->whole.product[1] == 11);
	ck_assert(result->whole.limit == 5);
	ck_assert_ptr_null(result->state); /* its place has the sums */
	other = r[1];
	other.member.shard.sum = sum;
	ck_assert_int_eq(sync_shard_digest(&other.member, &e), 0);
	ck_assert_int_ne(memcmp(other.member.digest, r[1].member.digest, DIGEST_BYTES), 0);
	for (unsigned i = 0; i < 3; i++)
		sync_group_unref(r[i].member.group);
	sync_groups_fini(&all);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_group");
	TCase *t = tcase_create("sync_group");

	tcase_add_test(t, in_time_and_late);
	tcase_add_test(t, no_deadline_while_it_is_led);
	tcase_add_test(t, how_long_it_is_remembered);
	tcase_add_test(t, what_is_no_repeat);
	tcase_add_test(t, a_leader_fails);
	tcase_add_test(t, padding_alone);
	suite_add_tcase(s, t);
	return s;
}
