/* SPDX-License-Identifier: MIT */
/* Outputs limited to -limit..limit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

static double
clipped(enum norm_real real, double value, double limit)
{
	return value > limit ? rounded(real, limit) : value < -limit ? -rounded(real, limit) : value;
}

/* Every length up to a few vectors, wherever the elements lie, and nothing beyond the end is touched. */
START_TEST(lengths_and_places)
{
	const enum norm_real real = reals[_i];
	const double limit = 0.7;
	double room[80], before[80];
	size_t length, offset, i;
	uint64_t seed = 2;

	for (i = 0; i < 70; i++)
		element_set(real, before, i, random_deviate(&seed));
	for (length = 0; length < 67; length++)
		for (offset = 0; offset < 3; offset++) {
			memcpy(room, before, sizeof(room));
			run_clip(real, (unsigned char *)room + offset * norm_real_size(real), length, limit);
			for (i = 0; i < 70; i++) {
				const double value = element_get(real, before, i);

				ck_assert(element_get(real, room, i) ==
				    (i >= offset && i < offset + length ? clipped(real, value, limit) : value));
			}
		}
}
END_TEST

START_TEST(special_values)
{
	static const double values[] = { 0, -0.0, 10, -10, 10.5, -10.5, 1e-6, INFINITY, -INFINITY, 3e4, -3e4 };
	const enum norm_real real = reals[_i];
	double x[16];
	size_t i, n = sizeof(values) / sizeof(values[0]);

	for (i = 0; i < n; i++)
		element_set(real, x, i, values[i]);
	element_set(real, x, n, NAN);
	run_clip(real, x, n + 1, 10);
	for (i = 0; i < n; i++) {
		const double y = element_get(real, x, i);

		ck_assert(y == (fabs(values[i]) > 10 ? copysign(10, values[i]) : rounded(real, values[i])));
		ck_assert_int_eq(signbit(y) != 0, signbit(values[i]) != 0);
	}
	ck_assert(isnan(element_get(real, x, n)));
}
END_TEST

/* A limit that the type does not hold becomes the nearest number that it holds; one beyond the type limits nothing. */
START_TEST(limits_that_are_rounded)
{
	static const double limits[] = { 0.1, 1e-30, 2.0000001, 1e30 };
	const enum norm_real real = reals[_i];
	double x[2];
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		element_set(real, x, 0, 3e4);
		element_set(real, x, 1, -3e4);
		run_clip(real, x, 2, limits[i]);
		ck_assert(element_get(real, x, 0) == (limits[i] > 3e4 ? rounded(real, 3e4) : rounded(real, limits[i])));
		ck_assert(element_get(real, x, 1) == -element_get(real, x, 0));
	}
}
END_TEST

/* All 65,536 of both 16-bit types. */
START_TEST(every_16_bits)
{
	const enum norm_real real = _i == 0 ? NORM_HALF : NORM_BFLOAT;
	uint16_t *x = calloc(0x10000, sizeof(*x));
	size_t i;

	ck_assert_ptr_nonnull(x);
	for (i = 0; i < 0x10000; i++)
		x[i] = (uint16_t)i;
	run_clip(real, x, 0x10000, 2.5);
	for (i = 0; i < 0x10000; i++) {
		const double value = reference_value16(real, (unsigned)i), y = reference_value16(real, x[i]);

		ck_assert(isnan(value) ? isnan(y) : y == fmax(-2.5, fmin(2.5, value)));
	}
	free(x);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("clip");
	TCase *t = tcase_create("clip");

	tcase_add_loop_test(t, lengths_and_places, 0, REALS);
	tcase_add_loop_test(t, special_values, 0, REALS);
	tcase_add_loop_test(t, limits_that_are_rounded, 0, REALS);
	tcase_add_loop_test(t, every_16_bits, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
