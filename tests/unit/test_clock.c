/* SPDX-License-Identifier: MIT */
/* Time stamps, also of seconds that a damaged store may bring. */
#include "tests/unit/unit.h"

#include "base/clock.h"

static const struct {
	int64_t second;
	const char *stamp;
} cases[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 1769860799, "2026-01-31T11:59:59Z" },
	{ 253402300799, "9999-12-31T23:59:59Z" },
	{ 253402300800, "9999-12-31T23:59:59Z" },
	{ INT64_MAX, "9999-12-31T23:59:59Z" },
	{ -1, "1970-01-01T00:00:00Z" },
	{ INT64_MIN, "1970-01-01T00:00:00Z" },
};

START_TEST(seconds)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_second_stamp(cases[_i].second, stamp);
	ck_assert_str_eq(stamp, cases[_i].stamp);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("clock");
	TCase *all = tcase_create("stamps");

	tcase_add_loop_test(all, seconds, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, all);
	return suite;
}
