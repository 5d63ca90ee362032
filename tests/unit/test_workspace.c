/* SPDX-License-Identifier: MIT */
/* The workspace: what is taken from it is zeroed, counted before it is allocated, and given back as a whole. */
#include "tests/unit/unit.h"

#include <stdint.h>
#include <string.h>

#include "base/workspace.h"

#define BUDGET ((size_t)1 << 20)

static struct budget budget;

static void
begin(struct workspace *ws, size_t copies)
{
	budget_init(&budget, BUDGET);
	workspace_init(ws, &budget, (size_t)1 << 30);
	ws->copies = copies;
}

static void
end(struct workspace *ws)
{
	workspace_fini(ws);
	ck_assert_uint_eq(ws->memory.bytes, 0);
	ck_assert_uint_eq(atomic_load(&budget.bytes), 0);
}

START_TEST(arrays_are_zeroed_and_counted)
{
	static const unsigned char zeros[3 * 1000];
	struct workspace ws;
	struct err e = { 0 };

	begin(&ws, 5);
	ck_assert_mem_eq(workspace_array(&ws, 1000, 3, &e), zeros, sizeof(zeros));
	ck_assert_uint_eq(ws.memory.bytes, 3000);
	ck_assert_mem_eq(workspace_values(&ws, 1000, 3, &e), zeros, sizeof(zeros));
	ck_assert_uint_eq(ws.memory.bytes, 6000);
	ck_assert_mem_eq(workspace_alloc(&ws, 100, &e), zeros, 100);
	ck_assert_uint_eq(ws.memory.bytes, 6000);
	end(&ws);
}
END_TEST

START_TEST(doubles_are_counted_with_their_copies)
{
	static const double zeros[100];
	static const size_t counted[] = { 1, 1, 2, 3, 4, 5 };
	struct workspace ws;
	struct err e = { 0 };
	double *values;

	for (size_t copies = 0; copies <= 5; copies++) {
		begin(&ws, copies);
		ck_assert_int_eq(workspace_doubles(&ws, 100, &values, &e), 0);
		ck_assert_mem_eq(values, zeros, sizeof(zeros));
		ck_assert_uint_eq(ws.memory.bytes, counted[copies] * sizeof(zeros));
		ck_assert_int_eq(workspace_count_copies(&ws, 100, &e), 0);
		ck_assert_uint_eq(ws.memory.bytes, (2 * counted[copies] - 1) * sizeof(zeros));
		end(&ws);
	}
}
END_TEST

/* What can never be had is body_too_large, what others have is overloaded; neither leaves anything taken. */
START_TEST(what_does_not_fit_is_refused_and_not_counted)
{
	static const size_t sizes[] = { BUDGET / 8 + 1, SIZE_MAX / 8, SIZE_MAX / 8 + 1, SIZE_MAX / 2, SIZE_MAX };
	struct workspace ws;
	double *values;

	begin(&ws, 3);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct err e = { 0 };

		ck_assert_ptr_null(workspace_array(&ws, sizes[i], 8, &e));
		ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
		ck_assert_ptr_null(workspace_values(&ws, 8, sizes[i], &e));
		ck_assert_int_eq(workspace_doubles(&ws, sizes[i], &values, &e), -1);
		ck_assert_int_eq(workspace_doubles_unset(&ws, sizes[i], &values, &e), -1);
		ck_assert_int_eq(workspace_count_copies(&ws, sizes[i], &e), -1);
		ck_assert_uint_eq(ws.memory.bytes, 0);
	}
	end(&ws);
}
END_TEST

START_TEST(memory_of_others_is_overloaded)
{
	struct workspace one, two;
	struct err e = { 0 };

	begin(&one, 1);
	workspace_init(&two, &budget, (size_t)1 << 30);
	ck_assert_ptr_nonnull(workspace_array(&one, BUDGET, 1, &e));
	ck_assert_ptr_null(workspace_array(&two, 1, 1, &e));
	ck_assert_int_eq(e.code, ERR_OVERLOADED);
	workspace_fini(&one);
	ck_assert_ptr_nonnull(workspace_array(&two, BUDGET, 1, &e));
	end(&two);
}
END_TEST

/* Without a budget only the arena's own limit holds. */
START_TEST(without_a_budget_the_arena_refuses)
{
	struct workspace ws;
	struct err e = { 0 };
	double *values;

	workspace_init(&ws, NULL, 4096);
	ck_assert_int_eq(workspace_doubles(&ws, 16, &values, &e), 0);
	ck_assert_int_eq(workspace_doubles(&ws, 4096, &values, &e), -1);
	ck_assert_int_eq(e.code, ERR_OVERLOADED);
	ck_assert_ptr_null(workspace_array(&ws, SIZE_MAX, 2, &e));
	workspace_fini(&ws);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("workspace");
	TCase *c = tcase_create("workspace");

	tcase_add_test(c, arrays_are_zeroed_and_counted);
	tcase_add_test(c, doubles_are_counted_with_their_copies);
	tcase_add_test(c, what_does_not_fit_is_refused_and_not_counted);
	tcase_add_test(c, memory_of_others_is_overloaded);
	tcase_add_test(c, without_a_budget_the_arena_refuses);
	suite_add_tcase(s, c);
	return s;
}
