/* SPDX-License-Identifier: MIT */
/*
 * Some hundred power cuts, from fixed seeds; `make torture-power` makes ten thousand from others. What is held here too
 * is that the cuts are some: where flushes are left out, they lose what was acknowledged.
 */
#include "tests/unit/unit.h"

#include "tests/disk/power.h"

START_TEST(power_cuts_lose_nothing_that_was_acknowledged)
{
	const struct power_plan plan = { .seed = 1000, .cuts = 250, .in_recovery = 30, .synchronous = 2 };
	struct power_counts counts;

	power_run(&plan, &counts);
	ck_assert_uint_eq(counts.corrupt, 0);
	ck_assert_uint_eq(counts.lost, 0);
	ck_assert_uint_gt(counts.acknowledged, 1000);
	ck_assert_uint_gt(counts.kept, 0);
}
END_TEST

START_TEST(power_cuts_after_calls_that_failed_lose_nothing_and_bring_nothing_back)
{
	const struct power_plan plan = { .seed = 2000, .cuts = 250, .synchronous = 2, .faults = true };
	struct power_counts counts;

	power_run(&plan, &counts);
	ck_assert_uint_eq(counts.corrupt, 0);
	ck_assert_uint_eq(counts.lost, 0);
	ck_assert_uint_gt(counts.failed, 0);
}
END_TEST

/* NORMAL flushes the log only for checkpoints: acknowledged operations are lost, but nothing is corrupt. */
START_TEST(power_cuts_lose_what_was_not_flushed)
{
	const struct power_plan plan = { .seed = 3000, .cuts = 60, .synchronous = 1, .quiet = true };
	struct power_counts counts;

	power_run(&plan, &counts);
	ck_assert_uint_eq(counts.corrupt, 0);
	ck_assert_uint_gt(counts.lost, 0);
}
END_TEST

/* Without any flush, or where the disk does not do what it says, files are corrupt too. */
START_TEST(power_cuts_corrupt_what_is_never_flushed)
{
	const struct power_plan off = { .seed = 4000, .cuts = 100, .synchronous = 0, .quiet = true };
	const struct power_plan lies = {
		.seed = 5000, .cuts = 100, .synchronous = 2, .lying_disk = true, .quiet = true
	};
	struct power_counts counts;

	power_run(&off, &counts);
	ck_assert_uint_gt(counts.lost, 0);
	ck_assert_uint_gt(counts.corrupt, 0);
	power_run(&lies, &counts);
	ck_assert_uint_gt(counts.lost, 0);
	ck_assert_uint_gt(counts.corrupt, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("power_cut");
	TCase *t = tcase_create("power_cut");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, power_cuts_lose_nothing_that_was_acknowledged);
	tcase_add_test(t, power_cuts_after_calls_that_failed_lose_nothing_and_bring_nothing_back);
	tcase_add_test(t, power_cuts_lose_what_was_not_flushed);
	tcase_add_test(t, power_cuts_corrupt_what_is_never_flushed);
	suite_add_tcase(s, t);
	return s;
}
