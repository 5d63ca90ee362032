/* SPDX-License-Identifier: MIT */
/* The rule of how fast a client must be. */
#include "tests/unit/unit.h"

#include "server/pace.h"

#define SECOND ((uint64_t)1000000)
#define TIMEOUT (20 * SECOND)
#define RATE ((uint64_t)PACE_BYTES_PER_S)
#define BEGAN (1000 * SECOND)

/* When a client that sends `bytes` in each step of `step_us` is found late; 0: not within `end_us`. */
static uint64_t
late_after(uint64_t step_us, uint64_t bytes, uint64_t end_us)
{
	struct pace p;
	uint64_t moved = 12345;

	pace_start(&p, BEGAN, moved, TIMEOUT);
	for (uint64_t t = step_us; t <= end_us; t += step_us) {
		pace_refill(&p, BEGAN + t, moved += bytes, TIMEOUT);
		if (pace_is_late(&p, BEGAN + t))
			return t;
	}
	return 0;
}

START_TEST(silence_is_late_after_the_timeout)
{
	struct pace p;

	pace_start(&p, BEGAN, 7, TIMEOUT);
	pace_refill(&p, BEGAN + TIMEOUT, 7, TIMEOUT);
	ck_assert(!pace_is_late(&p, BEGAN + TIMEOUT));
	ck_assert(pace_is_late(&p, BEGAN + TIMEOUT + 1));
}
END_TEST

START_TEST(the_rate_is_enough_for_ever)
{
	ck_assert_uint_eq(late_after(SECOND, RATE, 86400 * SECOND), 0);
	ck_assert_uint_eq(late_after(10 * SECOND, 10 * RATE, 86400 * SECOND), 0);
	ck_assert_uint_eq(late_after(SECOND / 4, 100 * RATE, 3600 * SECOND), 0);
}
END_TEST

START_TEST(below_the_rate_is_late)
{
	/* A byte a second earns next to nothing; half the rate, half a second each: 20 s are gone after 40. */
	ck_assert_uint_eq(late_after(SECOND, 1, 3600 * SECOND), 21 * SECOND);
	ck_assert_uint_eq(late_after(SECOND, RATE / 2, 3600 * SECOND), 41 * SECOND);
	ck_assert_uint_ne(late_after(SECOND, RATE - 1, 86400 * SECOND), 0);
}
END_TEST

/*
 * The server's time is not the client's, and no more than that: whoever is seen now and then with a byte just come is
 * late all the same.
 */
START_TEST(a_pause_is_worth_its_own_time)
{
	struct pace p;

	pace_start(&p, BEGAN, 0, TIMEOUT);
	pace_pause(&p, BEGAN + SECOND, BEGAN + 4 * SECOND, TIMEOUT);
	ck_assert(!pace_is_late(&p, BEGAN + TIMEOUT + 3 * SECOND));
	ck_assert(pace_is_late(&p, BEGAN + TIMEOUT + 3 * SECOND + 1));
	/* Nor does it fill the allowance above what it is. */
	pace_start(&p, BEGAN, 0, TIMEOUT);
	pace_pause(&p, BEGAN, BEGAN + 3600 * SECOND, TIMEOUT);
	ck_assert(pace_is_late(&p, BEGAN + 3600 * SECOND + TIMEOUT + 1));
}
END_TEST

START_TEST(a_quick_start_buys_no_long_stall)
{
	struct pace p;

	pace_start(&p, BEGAN, 0, TIMEOUT);
	pace_refill(&p, BEGAN + SECOND, (uint64_t)1 << 30, TIMEOUT);
	pace_refill(&p, BEGAN + SECOND + TIMEOUT, (uint64_t)1 << 30, TIMEOUT);
	ck_assert(!pace_is_late(&p, BEGAN + SECOND + TIMEOUT));
	ck_assert(pace_is_late(&p, BEGAN + SECOND + TIMEOUT + 1));
}
END_TEST

START_TEST(who_was_late_earns_its_way_back)
{
	struct pace p;

	/* Looked at only now: what it sent since is still to its credit. */
	pace_start(&p, BEGAN, 0, TIMEOUT);
	pace_refill(&p, BEGAN + TIMEOUT + 5 * SECOND, 5 * RATE, TIMEOUT);
	ck_assert(!pace_is_late(&p, BEGAN + TIMEOUT + 5 * SECOND));
	ck_assert(pace_is_late(&p, BEGAN + TIMEOUT + 5 * SECOND + 1));
}
END_TEST

START_TEST(no_count_of_bytes_overflows)
{
	struct pace p;

	pace_start(&p, BEGAN, 0, TIMEOUT);
	pace_refill(&p, BEGAN + SECOND, UINT64_MAX, TIMEOUT);
	ck_assert_uint_eq(p.due_us, BEGAN + SECOND + TIMEOUT);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("pace");
	TCase *t = tcase_create("rule");

	tcase_add_test(t, silence_is_late_after_the_timeout);
	tcase_add_test(t, the_rate_is_enough_for_ever);
	tcase_add_test(t, below_the_rate_is_late);
	tcase_add_test(t, a_pause_is_worth_its_own_time);
	tcase_add_test(t, a_quick_start_buys_no_long_stall);
	tcase_add_test(t, who_was_late_earns_its_way_back);
	tcase_add_test(t, no_count_of_bytes_overflows);
	suite_add_tcase(suite, t);
	return suite;
}
