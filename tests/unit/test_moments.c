/* SPDX-License-Identifier: MIT */
/* Mean and variance against the plain reference, over every small shape, the kernels' block edges and hard numbers. */

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

/* The bound of docs/MATH.md: relative to the larger of |mean| and the deviation, and to the variance. */
#define BOUND 1e-13

/* What one tensor is filled with: mean + deviation * random. */
struct numbers {
	double mean;
	double deviation;
};

/* One shape for each way through the kernels: long and short runs, columns with and without folding, rows. */
static const struct norm_view paths[] = { { 3, 2, 700 }, { 5, 3, 16 }, { 7, 5, 9 }, { 40, 300, 1 }, { 30000, 3, 1 },
	{ 500, 70, 4 }, { 1, 9, 3 }, { 1, 4, 1025 } };
#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* Whether a type has room for such numbers. */
static bool
numbers_fit(enum norm_real real, struct numbers n)
{
	return fabs(n.mean) + 6 * n.deviation <= real_max(real);
}

static void *
tensor_new(enum norm_real real, struct norm_view v, struct numbers numbers, uint64_t seed)
{
	void *x = malloc((view_size(v) + 1) * sizeof(double));
	size_t i;

	ck_assert_ptr_nonnull(x);
	for (i = 0; i < view_size(v); i++)
		element_set(real, x, i, numbers.mean + numbers.deviation * random_deviate(&seed));
	return x;
}

static double *
doubles_new(size_t n)
{
	double *x = malloc(n * sizeof(*x));

	ck_assert_ptr_nonnull(x);
	memset(x, 0xff, n * sizeof(*x));
	return x;
}

static void
check_feature(enum norm_real real, const void *x, struct norm_view v, size_t f, double mean, double var)
{
	WIDE m, s, scale;

	reference_moments(real, x, v, f, &m, &s);
	scale = wide_max(wide_abs(m), wide_sqrt(s));
	ck_assert_msg(wide_abs(mean - m) <= BOUND * scale, "(%zu,%zu,%zu) feature %zu: mean %.17g, not %.17g", v.outer,
	    v.feature, v.inner, f, mean, (double)m);
	ck_assert_msg(var >= 0 && wide_abs(var - s) <= BOUND * s + DBL_TRUE_MIN,
	    "(%zu,%zu,%zu) feature %zu: var %.17g, not %.17g", v.outer, v.feature, v.inner, f, var, (double)s);
}

/* All features of it. */
static void
check_tensor(enum norm_real real, const void *x, struct norm_view v)
{
	double *mean = doubles_new(v.feature), *var = doubles_new(v.feature);

	run_moments(real, x, v, mean, var);
	for (size_t f = 0; f < v.feature; f++)
		check_feature(real, x, v, f, mean[f], var[f]);
	free(mean);
	free(var);
}

static void
check_shape(enum norm_real real, struct norm_view v, struct numbers numbers)
{
	void *x = tensor_new(real, v, numbers, view_size(v));

	check_tensor(real, x, v);
	free(x);
}

START_TEST(every_small_shape)
{
	struct norm_view v;

	for (v.outer = 1; v.outer <= 4; v.outer++)
		for (v.feature = 1; v.feature <= 4; v.feature++)
			for (v.inner = 1; v.inner <= 4; v.inner++)
				check_shape(reals[_i], v, (struct numbers){ 0.5, 2 });
}
END_TEST

START_TEST(edges_of_blocks)
{
	static const size_t inner[] = { 1, 7, 8, 9, 15, 16, 17, 23, 511, 512, 513, 1024, 1031 };
	static const size_t features[] = { 17, 128, 129, 255, 256, 257, 600 };
	size_t i;

	for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		check_shape(reals[_i], (struct norm_view){ 3, 2, inner[i] }, (struct numbers){ -3, 1 });
		check_shape(reals[_i], (struct norm_view){ 1, 3, inner[i] }, (struct numbers){ -3, 1 });
	}
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		check_shape(reals[_i], (struct norm_view){ 5, features[i], 1 }, (struct numbers){ 3, 1 });
		check_shape(reals[_i], (struct norm_view){ 5, features[i], 2 }, (struct numbers){ 3, 1 });
		check_shape(reals[_i], (struct norm_view){ 129, features[i], 1 }, (struct numbers){ 3, 1 });
	}
}
END_TEST

START_TEST(hard_numbers)
{
	static const struct numbers hard[] = { { 0, 1 }, { 1e5, 1 }, { -1e8, 1 }, { 1e30, 1e28 }, { 0, 1e30 },
		{ 1e-30, 1e-30 }, { 0, 1e-41 }, { 1e-39, 1e-42 }, { -3e4, 100 }, { 0, 1e4 }, { 6e-5, 1e-5 },
		{ 0, 2e-7 } };
	size_t p, h;

	for (p = 0; p < PATHS; p++)
		for (h = 0; h < sizeof(hard) / sizeof(hard[0]); h++)
			if (numbers_fit(reals[_i], hard[h]))
				check_shape(reals[_i], paths[p], hard[h]);
}
END_TEST

START_TEST(hard_doubles)
{
	size_t p;

	for (p = 0; p < PATHS; p++) {
		check_shape(NORM_DOUBLE, paths[p], (struct numbers){ 0, 1e150 });
		check_shape(NORM_DOUBLE, paths[p], (struct numbers){ 1e-140, 1e-140 });
		check_shape(NORM_DOUBLE, paths[p], (struct numbers){ 1e-310, 0 });
	}
}
END_TEST

START_TEST(a_million_values)
{
	const struct numbers numbers = { reals[_i] == NORM_HALF ? 1e4 : 1e5, 1 };

	check_shape(reals[_i], (struct norm_view){ 1, 1, 1000000 }, numbers);
	check_shape(reals[_i], (struct norm_view){ 1000000, 1, 1 }, numbers);
}
END_TEST

/* The first value is what pass 1 shifts by; it must cost nothing where it is the odd one out. */
START_TEST(first_value_far_from_the_rest)
{
	size_t p, f;

	for (p = 0; p < PATHS; p++) {
		struct norm_view v = paths[p];
		void *x = tensor_new(reals[_i], v, (struct numbers){ 1, 1 }, p);

		for (f = 0; f < v.feature; f++)
			element_set(reals[_i], x, f * v.inner, fmin(1e12, real_max(reals[_i])));
		check_tensor(reals[_i], x, v);
		free(x);
	}
}
END_TEST

/*
 * So many first values a thousand deviations off the rest, that a shift by their mean would cost both results digits.
 */
static void
check_misleading_start(enum norm_real real, struct norm_view v, size_t first)
{
	void *x = tensor_new(real, v, (struct numbers){ 0.5, 1 }, 3);
	uint64_t seed = 4;
	size_t i, f;

	for (f = 0; f < v.feature; f += 2)
		for (i = 0; i < first; i++)
			element_set(
			    real, x, v.inner > 1 ? f * v.inner + i : i * v.feature + f, 1000 + random_deviate(&seed));
	check_tensor(real, x, v);
	free(x);
}

START_TEST(first_values_that_mislead)
{
	check_misleading_start(reals[_i], (struct norm_view){ 1, 2, 300000 }, 16);
	check_misleading_start(reals[_i], (struct norm_view){ 3000, 2, 100 }, 16);
	check_misleading_start(reals[_i], (struct norm_view){ 10000, 130, 1 }, 8);
}
END_TEST

/*
 * Values one unit in the last place apart: their mean is no double, so without the correction of pass 2 the variance
 * would be twice what it is.
 */
START_TEST(deviation_below_the_mean_s_last_place)
{
	static const struct norm_view views[] = { { 2, 3, 40 }, { 1, 2, 6 }, { 4, 3, 1 }, { 600, 2, 3 } };
	const double value = rounded(reals[_i], reals[_i] == NORM_HALF ? 4e4 : 1e8);
	const double unit = ulp(reals[_i], value);
	double mean[3], var[3];
	size_t p, i, f;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++) {
		struct norm_view v = views[p];
		void *x = tensor_new(reals[_i], v, (struct numbers){ value, 0 }, 1);

		for (i = 0; i < view_size(v); i++)
			if ((i / v.inner / v.feature * v.inner + i % v.inner) % 2 == 1)
				element_set(reals[_i], x, i, value + unit);
		run_moments(reals[_i], x, v, mean, var);
		for (f = 0; f < v.feature; f++)
			ck_assert(var[f] == unit * unit / 4);
		free(x);
	}
}
END_TEST

static void
check_constant(enum norm_real real, struct norm_view v, double value)
{
	void *x = tensor_new(real, v, (struct numbers){ value, 0 }, 1);
	double *mean = doubles_new(v.feature), *var = doubles_new(v.feature);
	double expected = element_get(real, x, 0);
	size_t f;

	run_moments(real, x, v, mean, var);
	for (f = 0; f < v.feature; f++)
		ck_assert_msg(mean[f] == expected && var[f] == 0, "mean %.17g, var %.17g of the constant %.17g",
		    mean[f], var[f], expected);
	free(x);
	free(mean);
	free(var);
}

START_TEST(constants_are_exact)
{
	static const double values[] = { 0, 1, -1, 0.1, 6e4, 1e5 + 0.1, 1e30, -1e30, 3e38, FLT_MAX, 1e-45, FLT_MIN,
		6e-8 };
	size_t p, i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!numbers_fit(reals[_i], (struct numbers){ values[i], 0 }))
			continue;
		for (p = 0; p < PATHS; p++)
			check_constant(reals[_i], paths[p], values[i]);
		check_constant(reals[_i], (struct norm_view){ 1, 3, 1 }, values[i]);
	}
	for (p = 0; p < PATHS; p++) {
		check_constant(NORM_DOUBLE, paths[p], DBL_MAX);
		check_constant(NORM_DOUBLE, paths[p], DBL_TRUE_MIN);
	}
}
END_TEST

/* One value that is not finite shows in its own feature, at whatever place it stands, and changes no other feature. */
static void
check_poison(enum norm_real real, struct norm_view v, double poison)
{
	void *x = tensor_new(real, v, (struct numbers){ 1, 1 }, 5);
	double *mean = doubles_new(v.feature), *var = doubles_new(v.feature);
	double *mean2 = doubles_new(v.feature), *var2 = doubles_new(v.feature);
	const size_t places[] = { 0, view_size(v) / 2, view_size(v) - 1 };
	double kept;
	size_t p, f, bad;

	run_moments(real, x, v, mean, var);
	for (p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		bad = places[p] / v.inner % v.feature;
		kept = element_get(real, x, places[p]);
		element_set(real, x, places[p], poison);
		run_moments(real, x, v, mean2, var2);
		ck_assert(!isfinite(mean2[bad]) || !isfinite(var2[bad]));
		for (f = 0; f < v.feature; f++)
			ck_assert(f == bad || (mean2[f] == mean[f] && var2[f] == var[f]));
		element_set(real, x, places[p], kept);
	}
	free(x);
	free(mean);
	free(var);
	free(mean2);
	free(var2);
}

START_TEST(not_finite_poisons_its_feature_only)
{
	static const double poisons[] = { NAN, INFINITY, -INFINITY };
	size_t p, i;

	for (p = 0; p < PATHS; p++)
		for (i = 0; i < sizeof(poisons) / sizeof(poisons[0]); i++)
			check_poison(reals[_i], paths[p], poisons[i]);
}
END_TEST

START_TEST(overflow_of_double_shows)
{
	const double x[] = { 1e308, -1e308, 1e308, -1e308 };
	double mean, var;

	run_moments(NORM_DOUBLE, x, (struct norm_view){ 1, 1, 4 }, &mean, &var);
	ck_assert(!isfinite(mean) || !isfinite(var));
	run_moments(NORM_DOUBLE, x, (struct norm_view){ 4, 1, 1 }, &mean, &var);
	ck_assert(!isfinite(mean) || !isfinite(var));
}
END_TEST

/* A tensor need lie no better than its elements do, and where it lies changes no bit. */
START_TEST(any_element_alignment)
{
	const size_t size = norm_real_size(reals[_i]);
	size_t p;

	for (p = 0; p < PATHS; p++) {
		struct norm_view v = paths[p];
		unsigned char *x = tensor_new(reals[_i], v, (struct numbers){ 1, 1 }, 9);
		double *a = doubles_new(2 * v.feature), *b = doubles_new(2 * v.feature);

		run_moments(reals[_i], x, v, a, a + v.feature);
		memmove(x + size, x, view_size(v) * size);
		run_moments(reals[_i], x + size, v, b, b + v.feature);
		ck_assert_mem_eq(a, b, 2 * v.feature * sizeof(*a));
		free(x);
		free(a);
		free(b);
	}
}
END_TEST

/*
 * The order of every sum is fixed by the view: these bits were written down once and hold for any compiler,
 * optimization, register width and sanitizer. The hash (FNV-1a over the values, not their bytes) is of all means and
 * variances.
 */
START_TEST(same_bits_everywhere)
{
	static const struct {
		enum norm_real real;
		uint64_t hash[PATHS];
	} expected[] = {
		{ NORM_FLOAT,
		    { 0x30431ed148f56c02u, 0x03424f849317a0ecu, 0x2383199245f55a51u, 0x0c4b79d1e91005aau,
			0xca942de35b1b498bu, 0x217c1353574f9806u, 0x1ae3df02bb7a8280u, 0xa65feb79ba22a74du } },
		{ NORM_HALF,
		    { 0x4917c9505683efe3u, 0xf626c5585ef8237fu, 0xe633d1bef4efccc1u, 0x38111807bb61f048u,
			0x8a19b8ae9fe9bb56u, 0x718bff16093bb23eu, 0xf4f819e7b18a0c79u, 0xe1c501d1516be919u } },
		{ NORM_BFLOAT,
		    { 0x5949e81472a2aa9eu, 0x1c9b470d1f013676u, 0x7f56a5c5ab08ec4du, 0x55e1fa2b74724cfau,
			0x4526e9a7a22d779cu, 0x61597f3e947dc243u, 0x2a6ecb69049afc5au, 0x68c542833219c0dcu } },
	};
	const enum norm_real real = expected[_i].real;
	uint64_t hash, bits;
	size_t p, i;

	for (p = 0; p < PATHS; p++) {
		struct norm_view v = paths[p];
		void *x = tensor_new(real, v, (struct numbers){ 3, 1 }, 77);
		double *both = doubles_new(2 * v.feature);

		run_moments(real, x, v, both, both + v.feature);
		hash = 0xcbf29ce484222325u;
		for (i = 0; i < 2 * v.feature; i++) {
			memcpy(&bits, &both[i], sizeof(bits));
			hash = (hash ^ bits) * 0x100000001b3u;
		}
		ck_assert_msg(hash == expected[_i].hash[p], "path %zu: 0x%016llx", p, (unsigned long long)hash);
		free(x);
		free(both);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("moments");
	TCase *t = tcase_create("moments");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_small_shape, 0, REALS);
	tcase_add_loop_test(t, edges_of_blocks, 0, REALS);
	tcase_add_loop_test(t, hard_numbers, 0, REALS);
	tcase_add_test(t, hard_doubles);
	tcase_add_loop_test(t, a_million_values, 0, REALS);
	tcase_add_loop_test(t, first_value_far_from_the_rest, 0, REALS);
	tcase_add_loop_test(t, first_values_that_mislead, 0, REALS);
	tcase_add_loop_test(t, deviation_below_the_mean_s_last_place, 0, REALS);
	tcase_add_loop_test(t, constants_are_exact, 0, REALS);
	tcase_add_loop_test(t, not_finite_poisons_its_feature_only, 0, REALS);
	tcase_add_test(t, overflow_of_double_shows);
	tcase_add_loop_test(t, any_element_alignment, 0, REALS);
	tcase_add_loop_test(t, same_bits_everywhere, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
