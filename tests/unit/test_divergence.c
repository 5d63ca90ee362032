/* SPDX-License-Identifier: MIT */
/* The greatest divergence over features; test_distance.c holds that of one feature to its formula. */
#include "norm/divergence.h"

#include <float.h>
#include <math.h>

#include "tests/unit/unit.h"

static const double mean_w[] = { 0, 1, 9, 0, 3, DBL_MAX }, var_w[] = { 1, 1, 0, 4, 1, 1 };
static const double mean_t[] = { 0, 0, 0, 0, 3, 0 }, var_t[] = { 1, 1, 1, 1, 0, 1 };

static double
max_of(uint64_t count_w, uint64_t count_t, size_t first, size_t end)
{
	const struct moments w = { count_w, mean_w + first, var_w + first },
			     t = { count_t, mean_t + first, var_t + first };

	return divergence_max(&w, &t, end - first);
}

/* Equal distributions; a shift of one deviation, by definition 1; a variance ratio of 4, by definition 9/8. */
START_TEST(the_greatest_of_those_that_there_are)
{
	ck_assert(max_of(5, 5, 0, 1) == 0);
	ck_assert(max_of(5, 5, 0, 2) == 1);
	ck_assert(max_of(5, 5, 0, 3) == 1);
	ck_assert(max_of(5, 5, 0, 5) == 1.125);
	ck_assert(max_of(5, 5, 3, 4) == 1.125);
	ck_assert(max_of(5, 5, 0, 6) == DBL_MAX);
}
END_TEST

START_TEST(none_without_a_deviation_or_values)
{
	ck_assert(isnan(max_of(5, 5, 2, 3)));
	ck_assert(isnan(max_of(5, 5, 4, 5)));
	ck_assert(isnan(max_of(5, 5, 0, 0)));
	ck_assert(isnan(max_of(0, 5, 0, 2)));
	ck_assert(isnan(max_of(5, 0, 0, 2)));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("divergence");
	TCase *t = tcase_create("divergence");

	tcase_add_test(t, the_greatest_of_those_that_there_are);
	tcase_add_test(t, none_without_a_deviation_or_values);
	suite_add_tcase(s, t);
	return s;
}
