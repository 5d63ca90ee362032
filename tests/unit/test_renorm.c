/* SPDX-License-Identifier: MIT */
/* Batch Renormalization's correction against its equation. */
#include <math.h>

#include "norm/renorm.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

#define FEATURES 64

static WIDE
limited(WIDE x, WIDE least, WIDE most)
{
	return x < least ? least : x > most ? most : x;
}

/* Batches near the running statistics, and so far from them that either limit holds. */
static void
check(struct renorm limits, bool with_running, bool with_weight, bool with_bias)
{
	double mean[FEATURES], var[FEATURES], running_mean[FEATURES], running_var[FEATURES], weight[FEATURES],
	    bias[FEATURES];
	double new_weight[FEATURES], new_bias[FEATURES];
	uint64_t seed = 9;
	size_t f;

	for (f = 0; f < FEATURES; f++) {
		mean[f] = (double)(f % 8) * random_deviate(&seed);
		var[f] = random_unit(&seed) * (double)(1 << f % 8);
		running_mean[f] = random_deviate(&seed);
		running_var[f] = random_unit(&seed);
		weight[f] = random_deviate(&seed);
		bias[f] = random_deviate(&seed);
	}
	if (with_running) {
		limits.mean = running_mean;
		limits.var = running_var;
	}
	renorm_correct(&limits, &(struct moments){ 2, mean, var }, with_weight ? weight : NULL, with_bias ? bias : NULL,
	    new_weight, new_bias);
	for (f = 0; f < FEATURES; f++) {
		const WIDE center = with_running ? running_mean[f] : 0, spread = with_running ? running_var[f] : 1;
		const WIDE deviation = wide_sqrt(spread + limits.eps), w = with_weight ? weight[f] : 1,
			   b = with_bias ? bias[f] : 0;
		const WIDE r =
		    limited(wide_sqrt((WIDE)var[f] + limits.eps) / deviation, 1 / (WIDE)limits.r_max, limits.r_max);
		const WIDE d = limited(((WIDE)mean[f] - center) / deviation, -(WIDE)limits.d_max, limits.d_max);

		ck_assert(wide_abs(new_weight[f] - r * w) <= 4 * DBL_EPSILON * wide_abs(r * w));
		ck_assert(wide_abs(new_bias[f] - (d * w + b)) <= 4 * DBL_EPSILON * (wide_abs(d * w) + wide_abs(b)));
	}
}

START_TEST(as_the_equation_says)
{
	static const struct renorm limits[] = { { FEATURES, 1e-5, 3, 5, NULL, NULL },
		{ FEATURES, 1e-3, 1, 0, NULL, NULL }, { FEATURES, 1e-5, 1, 5, NULL, NULL },
		{ FEATURES, 1e-5, 3, 0, NULL, NULL }, { FEATURES, 0, 1e30, 1e30, NULL, NULL } };
	size_t i;
	int with;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (with = 0; with < 8; with++)
			check(limits[i], with & 1, with & 2, with & 4);
}
END_TEST

/*
 * With r_max 1 and d_max 0, and where the batch is as the running statistics, it is plain batch normalization, to the
 * bit.
 */
START_TEST(nothing_to_correct)
{
	const double mean[] = { 3, -1e8, 0.1 }, var[] = { 4, 1, 1e-9 }, weight[] = { 0.3, -7, 1e30 },
		     bias[] = { 5, 0.1, -3 };
	const double other_mean[] = { 0, 5, 7 }, other_var[] = { 9, 2, 0 };
	const struct moments batch = { 2, mean, var };
	double new_weight[3], new_bias[3];

	renorm_correct(&(struct renorm){ 3, 1e-5, 3, 5, mean, var }, &batch, weight, bias, new_weight, new_bias);
	ck_assert_mem_eq(new_weight, weight, sizeof(weight));
	ck_assert_mem_eq(new_bias, bias, sizeof(bias));
	renorm_correct(
	    &(struct renorm){ 3, 1e-5, 1, 0, other_mean, other_var }, &batch, weight, bias, new_weight, new_bias);
	ck_assert_mem_eq(new_weight, weight, sizeof(weight));
	ck_assert_mem_eq(new_bias, bias, sizeof(bias));
}
END_TEST

/* Running statistics without a deviation, and no eps: the limits hold what would be infinite. */
START_TEST(a_running_variance_of_0)
{
	const double mean[] = { 3, -3 }, var[] = { 4, 4 }, running_mean[] = { 0, 0 }, running_var[] = { 0, 0 };
	double new_weight[2], new_bias[2];

	renorm_correct(&(struct renorm){ 2, 0, 3, 5, running_mean, running_var }, &(struct moments){ 2, mean, var },
	    NULL, NULL, new_weight, new_bias);
	ck_assert(new_weight[0] == 3 && new_weight[1] == 3);
	ck_assert(new_bias[0] == 5 && new_bias[1] == -5);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("renorm");
	TCase *t = tcase_create("renorm");

	tcase_add_test(t, as_the_equation_says);
	tcase_add_test(t, nothing_to_correct);
	tcase_add_test(t, a_running_variance_of_0);
	suite_add_tcase(s, t);
	return s;
}
