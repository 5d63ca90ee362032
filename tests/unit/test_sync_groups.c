/* SPDX-License-Identifier: MIT */
/*
 * All groups of synchronized steps together: they are found and they end in the order of their deadlines however many
 * there are, members leave, and the limits of those that wait and of memory are kept.
 */
#include "sync/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define LAYER 7
#define BEGIN ((uint64_t)1000000000)
#define MANY 5000

static const double zeros[2];

/* A rank's call and its step. */
struct rank {
	char step[16];
	struct sync_call call;
	struct sync_member member;
};

static void
rank_init(struct rank *r, unsigned step, unsigned rank, unsigned world, unsigned timeout_ms)
{
	struct err e;

	memset(r, 0, sizeof(*r));
	(void)snprintf(r->step, sizeof(r->step), "%u", step);
	r->call = (struct sync_call){ LAYER, false, r->step, rank, world, timeout_ms, false, NULL };
	r->member.shard = (struct shard){ .moments = { 4, zeros, zeros }, .features = 2 };
	ck_assert_int_eq(sync_shard_digest(&r->member, &e), 0);
}

/* It comes, unless it is refused; whether the group is full. */
static bool
come(struct sync_groups *all, struct rank *r, struct sync_member **list)
{
	struct sync_group *g = sync_groups_get(all, &r->call, &r->member, BEGIN);

	return g != NULL && sync_groups_join(all, g, &r->call, &r->member, list);
}

static void
leave(struct rank *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].member.group != NULL)
			sync_group_unref(r[i].member.group);
}

/* Steps with deadlines in any order, of which some are completed or left before: each of the others ends at its own. */
START_TEST(each_ends_in_time)
{
	struct sync_groups all;
	struct rank *r = calloc(MANY, sizeof(*r)), *second = calloc(MANY, sizeof(*second));
	const struct err gone = { .code = ERR_SYNC_INCOMPLETE };
	struct sync_member *list = NULL;
	unsigned ended = 0, waiting;

	ck_assert(r != NULL && second != NULL);
	sync_groups_init(&all, NULL, MANY);
	srand(7);
	for (unsigned i = 0; i < MANY; i++) {
		rank_init(&r[i], i, 0, 2, 1 + (unsigned)rand() % 1000);
		ck_assert(!come(&all, &r[i], &list));
		ck_assert(r[i].member.waits);
	}
	ck_assert_uint_eq(all.count, MANY);
	for (unsigned i = 0; i < MANY; i += 3) {
		rank_init(&second[i], i, 1, 2, 1);
		ck_assert(come(&all, &second[i], &list));
		ck_assert_ptr_eq(second[i].member.group, r[i].member.group);
		sync_groups_tell(&all, second[i].member.group, &second[i].member, 1, 1, BEGIN + 2000000, &list);
	}
	for (unsigned i = 1; i < MANY; i += 3)
		sync_groups_remove(&all, &r[i].member, &gone, &list);
	for (uint64_t ms = 1; ms <= 1000; ms++) {
		list = NULL;
		(void)sync_groups_expire(&all, BEGIN + 1000 * ms, &list);
		for (struct sync_member *m = list; m != NULL; m = m->next, ended++)
			ck_assert_uint_eq(m->group->timeout_us, 1000 * ms);
	}
	ck_assert_uint_eq(ended, MANY - (MANY + 2) / 3 - (MANY + 1) / 3);
	waiting = all.waiting;
	ck_assert_uint_eq(waiting, 0);
	leave(r, MANY);
	leave(second, MANY);
	sync_groups_fini(&all);
	free(r);
	free(second);
}
END_TEST

/* A member that leaves is counted out, its place is free, and a step that nobody is in is over. */
START_TEST(who_leaves)
{
	struct sync_groups all;
	const struct err gone = { .code = ERR_SYNC_INCOMPLETE, .detail = "gone" };
	struct sync_member *list = NULL;
	struct rank r[4];

	sync_groups_init(&all, NULL, 10);
	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], 1, i, 3, 1000);
		ck_assert(!come(&all, &r[i], &list));
	}
	sync_groups_remove(&all, &r[0].member, &gone, &list);
	ck_assert_ptr_eq(list, &r[0].member);
	ck_assert_str_eq(r[0].member.err.detail, "gone");
	ck_assert_uint_eq(all.waiting, 1);
	rank_init(&r[2], 1, 2, 3, 1000);
	ck_assert(!come(&all, &r[2], &list)); /* two of three */
	rank_init(&r[3], 1, 0, 3, 1000);
	ck_assert(come(&all, &r[3], &list));
	/* Now that it is led nobody leaves: the leader will tell. */
	list = NULL;
	sync_groups_remove(&all, &r[1].member, &gone, &list);
	ck_assert_ptr_null(list);
	ck_assert(r[1].member.waits);
	sync_groups_tell(&all, r[3].member.group, &r[3].member, 1, 1, BEGIN, &list);
	leave(r, 4);
	rank_init(&r[0], 2, 0, 2, 1000);
	ck_assert(!come(&all, &r[0], &list));
	ck_assert_uint_eq(all.count, 2);
	sync_groups_remove(&all, &r[0].member, &gone, &list);
	ck_assert_uint_eq(all.count, 1);
	ck_assert_uint_eq(all.waiting, 0);
	leave(r, 1);
	sync_groups_fini(&all);
}
END_TEST

/* As many as may wait; beyond, only who completes a step, takes its own place again, or need not wait is let in. */
START_TEST(how_many_wait)
{
	struct sync_groups all;
	struct sync_member *list = NULL;
	struct rank r[3], beyond, again, last, alone;

	sync_groups_init(&all, NULL, 3);
	for (unsigned i = 0; i < 3; i++) {
		rank_init(&r[i], i, 0, 2, 1000);
		ck_assert(!come(&all, &r[i], &list));
	}
	rank_init(&beyond, 3, 0, 2, 1000);
	ck_assert(!come(&all, &beyond, &list));
	ck_assert_ptr_null(beyond.member.group);
	ck_assert_int_eq(beyond.member.err.code, ERR_OVERLOADED);
	ck_assert_uint_gt(beyond.member.err.retry_after_s, 0);
	ck_assert_uint_eq(all.count, 3);
	rank_init(&again, 0, 0, 2, 1000);
	ck_assert(!come(&all, &again, &list));
	ck_assert(again.member.waits && !r[0].member.waits);
	rank_init(&alone, 4, 0, 1, 1000);
	ck_assert(come(&all, &alone, &list));
	sync_groups_tell(&all, alone.member.group, &alone.member, 1, 1, BEGIN, &list);
	rank_init(&last, 1, 1, 2, 1000);
	ck_assert(come(&all, &last, &list));
	sync_groups_tell(&all, last.member.group, &last.member, 1, 1, BEGIN, &list);
	memset(&beyond.member.err, 0, sizeof(beyond.member.err));
	ck_assert(!come(&all, &beyond, &list));
	ck_assert(beyond.member.waits);
	sync_groups_fail_unled(&all, &(const struct err){ .code = ERR_SHUTTING_DOWN }, &list);
	leave(r, 3);
	leave(&beyond, 1);
	leave(&again, 1);
	leave(&last, 1);
	leave(&alone, 1);
	sync_groups_fini(&all);
}
END_TEST

/* Steps are counted in the budget; those that are only remembered make room, and all is given back. */
START_TEST(memory_is_counted)
{
	struct budget budget;
	struct sync_groups all;
	struct sync_member *list = NULL;
	struct rank done[2], waits[2], beyond;
	const size_t one = sync_group_bytes(2, 4096), alone = sync_group_bytes(2, 1);

	budget_init(&budget, 2 * one + alone);
	sync_groups_init(&all, &budget, 10);
	for (unsigned i = 0; i < 2; i++) {
		rank_init(&done[i], i, 0, 1, 1000);
		ck_assert(come(&all, &done[i], &list));
		sync_groups_tell(&all, done[i].member.group, &done[i].member, 1, 1, BEGIN, &list);
	}
	leave(done, 2);
	ck_assert_uint_eq(budget.bytes, 2 * alone);
	for (unsigned i = 0; i < 2; i++) {
		rank_init(&waits[i], 10 + i, 0, 4096, 1000);
		ck_assert(!come(&all, &waits[i], &list));
		ck_assert(waits[i].member.waits);
	}
	ck_assert_uint_eq(all.done_count, 1);
	ck_assert_uint_eq(budget.bytes, budget.bytes_max);
	rank_init(&beyond, 20, 0, 4096, 1000);
	ck_assert(!come(&all, &beyond, &list));
	ck_assert_int_eq(beyond.member.err.code, ERR_OVERLOADED);
	sync_groups_fail_unled(&all, &(const struct err){ .code = ERR_SHUTTING_DOWN }, &list);
	leave(waits, 2);
	sync_groups_fini(&all);
	ck_assert_uint_eq(budget.bytes, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_groups");
	TCase *t = tcase_create("sync_groups");

	tcase_add_test(t, each_ends_in_time);
	tcase_add_test(t, who_leaves);
	tcase_add_test(t, how_many_wait);
	tcase_add_test(t, memory_is_counted);
	suite_add_tcase(s, t);
	return s;
}
