/* SPDX-License-Identifier: MIT */
/* Moments of parts, pooled: those of the whole batch, however it is cut. */
#include "norm/pool.h"

#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define FEATURES 3
#define VALUES_MAX 4096
#define PARTS_MAX 64

/* `count` values of each feature, and how they are cut. */
struct fixture {
	size_t count, parts;
	size_t cut[PARTS_MAX + 1];
	double x[VALUES_MAX * FEATURES];
	double mean[PARTS_MAX][FEATURES], var[PARTS_MAX][FEATURES];
	struct moments part[PARTS_MAX];
	double pooled_mean[FEATURES], pooled_var[FEATURES];
	uint64_t pooled_count;
};

static struct fixture f;

static void
fill(size_t count, double mean, double deviation)
{
	uint64_t seed = count;

	memset(&f, 0, sizeof(f));
	f.count = count;
	for (size_t i = 0; i < count * FEATURES; i++)
		f.x[i] = mean + deviation * random_deviate(&seed);
}

/* Cuts into `parts` at random places: some parts are empty, some have one value. */
static void
cut(size_t parts, uint64_t seed)
{
	f.parts = parts;
	f.cut[0] = 0;
	for (size_t i = 1; i <= parts; i++) {
		const size_t rest = f.count - f.cut[i - 1];

		f.cut[i] = i == parts ? f.count : f.cut[i - 1] + random_next(&seed) % (2 * rest / (parts - i + 1) + 1);
		f.cut[i] = f.cut[i] > f.count ? f.count : f.cut[i];
	}
}

static void
measure(void)
{
	for (size_t i = 0; i < f.parts; i++) {
		const struct norm_view view = { f.cut[i + 1] - f.cut[i], FEATURES, 1 };

		/* A part of no values is not looked at. */
		f.part[i] = (struct moments){ view.outer, NULL, NULL };
		if (view.outer == 0)
			continue;
		run_moments(NORM_DOUBLE, f.x + f.cut[i] * FEATURES, view, f.mean[i], f.var[i]);
		f.part[i].mean = f.mean[i];
		f.part[i].var = f.var[i];
	}
}

static int
pool(void)
{
	double scratch[2 * FEATURES];

	return pool_moments(f.part, f.parts, FEATURES, f.pooled_mean, f.pooled_var, scratch, &f.pooled_count);
}

static void
check(WIDE near)
{
	const struct norm_view whole = { f.count, FEATURES, 1 };
	WIDE mean, var;

	ck_assert_int_eq(pool(), 0);
	ck_assert_uint_eq(f.pooled_count, f.count);
	for (size_t c = 0; c < FEATURES; c++) {
		reference_moments(NORM_DOUBLE, f.x, whole, c, &mean, &var);
		ck_assert_msg(wide_abs(f.pooled_mean[c] - mean) <= near * wide_max(wide_abs(mean), wide_sqrt(var)) &&
			wide_abs(f.pooled_var[c] - var) <= near * var,
		    "%zu values in %zu parts: %.17g, %.17g, not %.17g, %.17g", f.count, f.parts, f.pooled_mean[c],
		    f.pooled_var[c], (double)mean, (double)var);
	}
}

START_TEST(the_whole_batch_however_it_is_cut)
{
	static const size_t counts[] = { 2, 3, 17, 1000, VALUES_MAX }, parts[] = { 1, 2, 3, 7, PARTS_MAX };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
			for (uint64_t seed = 0; seed < 20; seed++) {
				fill(counts[i], 5, 2);
				cut(parts[p], seed);
				measure();
				check(1e-13);
			}
}
END_TEST

/* The means of the parts are rounded, which shows in the variance as soon as they are many deviations large. */
START_TEST(large_means_and_small_deviations)
{
	static const double means[] = { 1e5, 1e8, 0, 1e30 }, deviations[] = { 1, 1e4, 1e-30, 1e28 };

	for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
		fill(512, means[i], deviations[i]);
		cut(8, i);
		measure();
		check(1e-13 + 0x1p-53 * means[i] / deviations[i]);
	}
}
END_TEST

/* Parts whose means lie far apart: nearly all of the variance is between them. */
START_TEST(parts_that_differ)
{
	fill(600, 0, 1);
	for (size_t i = 0; i < f.count * FEATURES; i++)
		f.x[i] += (double)(i / FEATURES / 200) * 1e6;
	f.parts = 3;
	for (size_t i = 0; i <= 3; i++)
		f.cut[i] = i * 200;
	measure();
	check(1e-13);
}
END_TEST

/* To the bit: the others might have been left out. */
START_TEST(one_part_is_itself)
{
	fill(100, 5, 2);
	for (size_t at = 0; at < 4; at++) {
		f.parts = 4;
		for (size_t i = 0; i <= 4; i++)
			f.cut[i] = i <= at ? 0 : f.count;
		measure();
		ck_assert_int_eq(pool(), 0);
		ck_assert_uint_eq(f.pooled_count, 100);
		ck_assert(memcmp(f.pooled_mean, f.mean[at], sizeof(f.pooled_mean)) == 0);
		ck_assert(memcmp(f.pooled_var, f.var[at], sizeof(f.pooled_var)) == 0);
	}
}
END_TEST

START_TEST(nothing_is_nothing)
{
	memset(&f, 0, sizeof(f));
	f.parts = 3;
	memset(f.pooled_mean, 0xff, sizeof(f.pooled_mean));
	measure();
	ck_assert_int_eq(pool(), 0);
	ck_assert_uint_eq(f.pooled_count, 0);
	for (size_t c = 0; c < FEATURES; c++)
		ck_assert(f.pooled_mean[c] == 0 && f.pooled_var[c] == 0);
	f.parts = 0;
	ck_assert_int_eq(pool(), 0);
	ck_assert_uint_eq(f.pooled_count, 0);
}
END_TEST

/* The order of the parts shows in the last bits alone; the same order gives the same bits. */
START_TEST(any_order)
{
	double mean[FEATURES], var[FEATURES];
	struct moments swap;

	fill(1000, 5, 2);
	cut(9, 3);
	measure();
	check(1e-13);
	memcpy(mean, f.pooled_mean, sizeof(mean));
	memcpy(var, f.pooled_var, sizeof(var));
	ck_assert_int_eq(pool(), 0);
	ck_assert(memcmp(mean, f.pooled_mean, sizeof(mean)) == 0 && memcmp(var, f.pooled_var, sizeof(var)) == 0);
	for (size_t i = 0; i < f.parts / 2; i++) {
		swap = f.part[i];
		f.part[i] = f.part[f.parts - 1 - i];
		f.part[f.parts - 1 - i] = swap;
	}
	check(1e-13);
}
END_TEST

START_TEST(overflow_is_refused)
{
	const double mean[FEATURES] = { 1, 2, 3 }, var[FEATURES] = { 1, 1, 1 }, far[FEATURES] = { 1, -1.7e308, 3 };

	f.parts = 2;
	f.part[0] = (struct moments){ INT64_MAX, mean, var };
	f.part[1] = (struct moments){ 1, mean, var };
	ck_assert_int_eq(pool(), -1);
	f.part[0] = (struct moments){ INT64_MAX - 1, mean, var };
	ck_assert_int_eq(pool(), 0);
	ck_assert_uint_eq(f.pooled_count, INT64_MAX);
	f.part[0] = (struct moments){ 10, mean, var };
	f.part[1] = (struct moments){ 10, far, var };
	ck_assert_int_eq(pool(), -1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_whole_batch_however_it_is_cut);
	tcase_add_test(t, large_means_and_small_deviations);
	tcase_add_test(t, parts_that_differ);
	tcase_add_test(t, one_part_is_itself);
	tcase_add_test(t, nothing_is_nothing);
	tcase_add_test(t, any_order);
	tcase_add_test(t, overflow_is_refused);
	suite_add_tcase(s, t);
	return s;
}
