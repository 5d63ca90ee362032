/* SPDX-License-Identifier: MIT */
/* How many requests a second somebody may make. */
#include <pthread.h>
#include <stdlib.h>

#include "server/rate.h"
#include "tests/unit/unit.h"

#define SECOND_NS UINT64_C(1000000000)
#define START_NS (12345 * SECOND_NS)

static unsigned
take_all(struct rate *r, unsigned per_second, uint64_t now_ns)
{
	unsigned count = 0;

	while (rate_take(r, per_second, now_ns) == 0)
		count++;
	return count;
}

static const unsigned rates[] = { 1, 2, 3, 7, 100, 999, 1000, 65537, RATE_MAX };

START_TEST(a_second_s_worth_may_come_at_once)
{
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate r = { 0 };

		ck_assert_uint_eq(take_all(&r, rates[i], START_NS), rates[i]);
		ck_assert_uint_eq(take_all(&r, rates[i], START_NS), 0);
	}
}
END_TEST

START_TEST(what_is_refused_is_allowed_when_it_was_said_and_not_before)
{
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate r = { 0 };
		uint64_t now_ns = START_NS, wait_ns;

		(void)take_all(&r, rates[i], now_ns);
		for (unsigned n = 0; n < 1000; n++) {
			wait_ns = rate_take(&r, rates[i], now_ns);
			ck_assert_uint_ge(wait_ns, 1);
			ck_assert_uint_le(wait_ns, SECOND_NS);
			ck_assert_uint_eq(rate_take(&r, rates[i], now_ns + wait_ns - 1), 1);
			now_ns += wait_ns;
			ck_assert_uint_eq(rate_take(&r, rates[i], now_ns), 0);
		}
	}
}
END_TEST

START_TEST(a_pause_saves_up_one_second_and_no_more)
{
	struct rate r = { 0 };

	(void)take_all(&r, 10, START_NS);
	ck_assert_uint_eq(take_all(&r, 10, START_NS + SECOND_NS / 2), 5);
	ck_assert_uint_eq(take_all(&r, 10, START_NS + 1000 * SECOND_NS), 10);
}
END_TEST

/* However the requests come: within any time no more than a second's worth beyond the rate. */
START_TEST(requests_by_chance_keep_the_rate)
{
	const unsigned per_second = 50;
	struct rate r = { 0 };
	uint64_t now_ns = START_NS;
	unsigned allowed = 0;

	srandom(16);
	for (unsigned n = 0; n < 100000; n++) {
		now_ns += (uint64_t)(random() % 10000000);
		allowed += rate_take(&r, per_second, now_ns) == 0;
	}
	ck_assert_uint_le(allowed, per_second * (now_ns - START_NS) / SECOND_NS + per_second + 1);
	ck_assert_uint_ge(allowed, per_second * (now_ns - START_NS) / SECOND_NS * 99 / 100);
}
END_TEST

static struct rate shared;

static void *
take_some(void *count)
{
	for (unsigned n = 0; n < 50000; n++)
		*(unsigned *)count += rate_take(&shared, 100000, START_NS) == 0;
	return NULL;
}

START_TEST(threads_together_get_no_more)
{
	pthread_t threads[4];
	unsigned counts[4] = { 0 };

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_some, &counts[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(counts[0] + counts[1] + counts[2] + counts[3], 100000);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("rate");
	TCase *t = tcase_create("take");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_second_s_worth_may_come_at_once);
	tcase_add_test(t, what_is_refused_is_allowed_when_it_was_said_and_not_before);
	tcase_add_test(t, a_pause_saves_up_one_second_and_no_more);
	tcase_add_test(t, requests_by_chance_keep_the_rate);
	tcase_add_test(t, threads_together_get_no_more);
	suite_add_tcase(suite, t);
	return suite;
}
