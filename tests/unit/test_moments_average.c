/* SPDX-License-Identifier: MIT */
/* Plain means of many samples' moments, against quadruple precision. */
#include "norm/pool.h"

#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

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
	Suite *s = suite_create("moments_average");
	TCase *t = tcase_create("moments_average");

	tcase_add_test(t, averages_of_moments);
	tcase_add_test(t, the_average_of_one_is_itself);
	tcase_add_test(t, averages_keep_what_cancels);
	suite_add_tcase(s, t);
	return s;
}
