/* The memory budget: what is taken is never more than there is, whoever asks at once; and how --max-memory is shared out. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/memory.h"
#include "server/memory_plan.h"

#define MIB ((size_t)1 << 20)

START_TEST(test_take_and_give)
{
	struct budget b;
	struct budget_share one = { .budget = &b }, two = { .budget = &b };

	budget_init(&b, 100);
	ck_assert(budget_take(&one, 60));
	ck_assert(!budget_take(&two, 41));
	ck_assert(budget_take(&two, 40));
	ck_assert(!budget_take(&one, 1));
	ck_assert(budget_take(&one, 0));
	budget_give(&one, 10);
	ck_assert(budget_take(&two, 10));
	budget_give_all(&one);
	budget_give_all(&one);
	ck_assert_uint_eq(two.bytes, 50);
	budget_give_all(&two);
	ck_assert(budget_take(&one, 100));
	ck_assert(!budget_take(&two, SIZE_MAX));
}
END_TEST

START_TEST(test_without_a_budget_all_is_granted)
{
	struct budget_share none = { 0 };

	ck_assert(budget_take(&none, SIZE_MAX));
	budget_give_all(&none);
	ck_assert(budget_take(NULL, SIZE_MAX));
	budget_give(NULL, 1);
}
END_TEST

static void *
take_often(void *arg)
{
	struct budget_share s = { .budget = arg };
	size_t granted = 0;

	for (int i = 0; i < 100000; i++) {
		if (budget_take(&s, 3))
			granted++;
		if (atomic_load(&s.budget->bytes) > s.budget->bytes_max)
			granted = SIZE_MAX / 2;
		if (i % 3 == 0)
			budget_give_all(&s);
	}
	budget_give_all(&s);
	return (void *)granted;
}

START_TEST(test_many_at_once)
{
	struct budget b;
	pthread_t threads[4];
	void *granted;
	size_t sum = 0;

	budget_init(&b, 20);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_often, &b), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &granted);
		ck_assert_uint_le((size_t)granted, 100000);
		sum += (size_t)granted;
	}
	/* Not each of them: one that is stopped with all of it in its hands may outlast another's whole loop. */
	ck_assert_uint_gt(sum, 0);
	ck_assert_uint_eq(atomic_load(&b.bytes), 0);
}
END_TEST

START_TEST(test_the_parts_make_the_whole)
{
	static const size_t totals[] = { 200 * MIB, 256 * MIB, 1024 * MIB, 16384 * MIB };
	struct memory_plan p;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		ck_assert_int_eq(memory_plan_make(totals[i], 1, 64 * MIB, 2, &p, &e), 0);
		ck_assert_uint_eq(p.total, totals[i]);
		ck_assert_uint_lt(p.cache + p.requests, p.total);
		ck_assert_uint_ge(p.requests, 64 * MIB);
		ck_assert_uint_gt(p.cache, 0);
	}
	ck_assert_int_eq(memory_plan_make(0, 4096 * MIB, 64 * MIB, 2, &p, &e), 0);
	ck_assert_uint_eq(p.total, 2048 * MIB);
}
END_TEST

START_TEST(test_what_is_too_small_is_refused_and_the_least_that_is_named_will_do)
{
	static const size_t bodies[] = { MIB, 64 * MIB, 1024 * MIB, 4096 * MIB };
	struct memory_plan p;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		for (unsigned threads = 1; threads <= 256; threads *= 4) {
			struct err e = { 0 };
			size_t least = 0;
			const char *said;

			ck_assert_int_eq(memory_plan_make(MIB, 0, bodies[i], threads, &p, &e), -1);
			ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
			said = strstr(e.detail, "at least ");
			ck_assert_ptr_nonnull(said);
			ck_assert_int_eq(sscanf(said, "at least %zuMiB", &least), 1);
			ck_assert_int_eq(memory_plan_make(least * MIB, 0, bodies[i], threads, &p, &e), 0);
			ck_assert_uint_ge(p.requests, bodies[i]);
			ck_assert_int_eq(memory_plan_make((least - 1) * MIB, 0, bodies[i], threads, &p, &e), -1);
			/* Nothing asked for, and half of what there is too little: the least. */
			ck_assert_int_eq(memory_plan_make(0, 64 * MIB, bodies[i], threads, &p, &e), 0);
			ck_assert_uint_ge(p.requests, bodies[i]);
		}
}
END_TEST

START_TEST(test_this_machine_has_memory)
{
	ck_assert_uint_ge(memory_limit_bytes(), 64 * MIB);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("budget");
	TCase *t = tcase_create("budget");

	tcase_add_test(t, test_take_and_give);
	tcase_add_test(t, test_without_a_budget_all_is_granted);
	tcase_add_test(t, test_many_at_once);
	tcase_add_test(t, test_the_parts_make_the_whole);
	tcase_add_test(t, test_what_is_too_small_is_refused_and_the_least_that_is_named_will_do);
	tcase_add_test(t, test_this_machine_has_memory);
	suite_add_tcase(s, t);
	return s;
}
