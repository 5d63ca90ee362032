/* SPDX-License-Identifier: MIT */
/* The least, the median and the greatest of a list, compared with the sorted list. */
#include "norm/spread.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define VALUES_MAX 300

static uint64_t state = 88172645463325252u;

static uint64_t
random_bits(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Any finite double. */
static double
any_double(void)
{
	uint64_t bits = random_bits();
	double value;

	memcpy(&value, &bits, sizeof(value));
	return isfinite(value) ? value : 0;
}

/* Few values, so that most are there several times; values beside each other; and values of any size. */
static double
draw(int how)
{
	switch (how) {
	case 0:
		return (double)(random_bits() % 3) - 1;
	case 1:
		return 1 + (double)(random_bits() % 16) * DBL_EPSILON;
	case 2:
		return (double)(random_bits() % 4) * DBL_TRUE_MIN;
	default:
		return any_double();
	}
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
middle(const double *sorted, size_t n)
{
	const long double lower = sorted[(n - 1) / 2], upper = sorted[n / 2];

	return (double)((lower + upper) / 2);
}

START_TEST(as_the_sorted_list_has_it)
{
	double values[VALUES_MAX], given[VALUES_MAX];

	for (size_t n = 1; n <= VALUES_MAX; n++) {
		struct spread s;

		for (size_t i = 0; i < n; i++)
			values[i] = draw(_i);
		memcpy(given, values, sizeof(values));
		s = spread_measure(values, n);
		ck_assert(memcmp(given, values, n * sizeof(*values)) == 0);
		ck_assert(spread_median(values, n) == s.median);
		qsort(values, n, sizeof(*values), compare);
		ck_assert(s.min == values[0]);
		ck_assert(s.max == values[n - 1]);
		ck_assert(s.median == middle(values, n));
	}
}
END_TEST

START_TEST(ends_of_double)
{
	const double largest[] = { DBL_MAX, DBL_MAX, -DBL_MAX, DBL_MAX }, opposite[] = { DBL_MAX, -DBL_MAX };
	const double least[] = { DBL_TRUE_MIN, DBL_TRUE_MIN }, zeros[] = { 0.0, -0.0 };

	ck_assert(spread_median(largest, 4) == DBL_MAX);
	ck_assert(spread_median(opposite, 2) == 0);
	ck_assert(spread_median(least, 2) == DBL_TRUE_MIN);
	ck_assert(spread_median(zeros, 2) == 0);
	ck_assert(spread_median(zeros + 1, 1) == 0);
}
END_TEST

/* Sorted, the other way round, and all the same: where a selection by partition may take the square of the number. */
START_TEST(orders)
{
	const size_t n = 100000;
	double *values = malloc(n * sizeof(*values));

	ck_assert_ptr_nonnull(values);
	for (size_t i = 0; i < n; i++)
		values[i] = (double)i;
	ck_assert(spread_median(values, n) == 49999.5);
	for (size_t i = 0; i < n; i++)
		values[i] = -(double)i;
	ck_assert(spread_median(values, n) == -49999.5);
	for (size_t i = 0; i < n; i++)
		values[i] = 0.1;
	ck_assert(spread_median(values, n) == 0.1);
	free(values);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("spread");
	TCase *t = tcase_create("spread");

	tcase_add_loop_test(t, as_the_sorted_list_has_it, 0, 4);
	tcase_add_test(t, ends_of_double);
	tcase_add_test(t, orders);
	suite_add_tcase(s, t);
	return s;
}
