/* SPDX-License-Identifier: MIT */
/* Mean squares per feature, and plain means of many samples' moments, against quadruple precision. */
#include <stdlib.h>
#include <string.h>

#include "norm/moments.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

/* As the variance is held (test_moments.c). */
#define BOUND 1e-13

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static void *
random_tensor(enum norm_real real, struct norm_view v, double mean, double deviation)
{
	void *x = allocate(view_size(v), sizeof(double));
	uint64_t seed = view_size(v) + v.feature;
	size_t i;

	for (i = 0; i < view_size(v); i++)
		element_set(real, x, i, mean + deviation * random_deviate(&seed));
	return x;
}

static WIDE
reference_square(enum norm_real real, const void *x, struct norm_view v, size_t f)
{
	WIDE sum = 0, value;
	size_t o, i;

	for (o = 0; o < v.outer; o++)
		for (i = 0; i < v.inner; i++) {
			value = element_get(real, x, (o * v.feature + f) * v.inner + i);
			sum += value * value;
		}
	return sum / (WIDE)norm_view_count(v);
}

static void
check(enum norm_real real, struct norm_view v, double mean, double deviation)
{
	void *x = random_tensor(real, v, mean, deviation);
	double *square = allocate(v.feature, sizeof(*square));
	size_t f;

	mean_squares(real, x, v, square);
	for (f = 0; f < v.feature; f++) {
		const WIDE expected = reference_square(real, x, v, f);

		ck_assert_msg(wide_abs(square[f] - expected) <= BOUND * expected, "(%zu,%zu,%zu): %.17g, not %.17g",
		    v.outer, v.feature, v.inner, square[f], (double)expected);
	}
	free(x);
	free(square);
}

START_TEST(squares_of_every_small_shape)
{
	struct norm_view v;

	for (v.outer = 1; v.outer <= 5; v.outer++)
		for (v.feature = 1; v.feature <= 5; v.feature++)
			for (v.inner = 1; v.inner <= 5; v.inner++)
				check(reals[_i], v, 0.5, 1);
}
END_TEST

START_TEST(squares_at_the_edges_of_blocks)
{
	static const struct norm_view views[] = { { 3, 5, 15 }, { 3, 5, 16 }, { 3, 5, 17 }, { 2, 2, 511 },
		{ 1, 3, 512 }, { 2, 1, 513 }, { 7, 255, 1 }, { 7, 256, 1 }, { 7, 257, 1 }, { 7, 90, 4 }, { 1000, 3, 1 },
		{ 1, 300, 1 }, { 1, 1, 100000 } };
	size_t i;

	for (i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		check(reals[_i], views[i], 0, 1);
		check(reals[_i], views[i], 100, 1);
	}
}
END_TEST

START_TEST(squares_of_tiny_and_huge_numbers)
{
	static const double sizes[] = { 1e30, 1e-30, 1e5, 1e8, 1e-5 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (reals[_i] != NORM_HALF) {
			check(reals[_i], (struct norm_view){ 3, 4, 40 }, 0, sizes[i]);
			check(reals[_i], (struct norm_view){ 40, 4, 2 }, sizes[i], sizes[i] / 8);
		}
	check(NORM_DOUBLE, (struct norm_view){ 3, 4, 40 }, 0, 1e150);
	check(NORM_DOUBLE, (struct norm_view){ 40, 4, 2 }, 0, 1e-150);
}
END_TEST

/* In powers of 2 nothing is rounded. */
START_TEST(squares_of_constants_are_exact)
{
	const struct norm_view views[] = { { 3, 5, 7 }, { 2, 2, 600 }, { 50, 70, 1 } };
	double square[70];
	size_t p, i;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++) {
		void *x = random_tensor(reals[_i], views[p], -4, 0);

		mean_squares(reals[_i], x, views[p], square);
		for (i = 0; i < views[p].feature; i++)
			ck_assert(square[i] == 16);
		free(x);
	}
}
END_TEST

START_TEST(not_finite_poisons_its_feature_only)
{
	static const struct norm_view views[] = { { 3, 5, 7 }, { 2, 5, 40 }, { 30, 5, 1 } };
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	double square[5];
	size_t p, i, f;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++)
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			void *x = random_tensor(reals[_i], views[p], 0, 1);

			element_set(reals[_i], x, (views[p].feature + 2) * views[p].inner, bad[i]);
			mean_squares(reals[_i], x, views[p], square);
			for (f = 0; f < 5; f++)
				ck_assert(isfinite(square[f]) == (f != 2));
			free(x);
		}
}
END_TEST

/* Samples of all shapes up to 5 by 4, and one long column that cancels in the middle. */
START_TEST(averages_of_moments)
{
	double means[20], vars[20], mean[4], var[4];
	uint64_t seed = 4;
	size_t samples, channels, n, c;

	for (samples = 1; samples <= 5; samples++)
		for (channels = 1; channels <= 4; channels++) {
			for (n = 0; n < samples * channels; n++) {
				means[n] = random_deviate(&seed);
				vars[n] = random_unit(&seed);
			}
			moments_average(means, vars, samples, channels, mean, var);
			for (c = 0; c < channels; c++) {
				WIDE m = 0, v = 0;

				for (n = 0; n < samples; n++) {
					m += means[n * channels + c];
					v += vars[n * channels + c];
				}
				ck_assert(wide_abs(mean[c] - m / samples) <= DBL_EPSILON * wide_abs(m / samples));
				ck_assert(wide_abs(var[c] - v / samples) <= DBL_EPSILON * v / samples);
			}
		}
}
END_TEST

START_TEST(the_average_of_one_is_itself)
{
	const double means[] = { 0.1, -3e300, 5e-324 }, vars[] = { 0.3, 1e308, 0 };
	double mean[3], var[3];

	moments_average(means, vars, 1, 3, mean, var);
	ck_assert_mem_eq(mean, means, sizeof(mean));
	ck_assert_mem_eq(var, vars, sizeof(var));
}
END_TEST

START_TEST(averages_keep_what_cancels)
{
	const double means[] = { 1e16, 3, -1e16, 1 }, vars[] = { 1, 1, 1, 1 };
	double mean, var;

	moments_average(means, vars, 4, 1, &mean, &var);
	ck_assert(mean == 1 && var == 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("squares");
	TCase *t = tcase_create("squares");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, squares_of_every_small_shape, 0, REALS);
	tcase_add_loop_test(t, squares_at_the_edges_of_blocks, 0, REALS);
	tcase_add_loop_test(t, squares_of_tiny_and_huge_numbers, 0, REALS);
	tcase_add_loop_test(t, squares_of_constants_are_exact, 0, REALS);
	tcase_add_loop_test(t, not_finite_poisons_its_feature_only, 0, REALS);
	tcase_add_test(t, averages_of_moments);
	tcase_add_test(t, the_average_of_one_is_itself);
	tcase_add_test(t, averages_keep_what_cancels);
	suite_add_tcase(s, t);
	return s;
}
