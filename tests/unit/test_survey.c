/* SPDX-License-Identifier: MIT */
/* A look at tensors with NaNs and infinities (norm/survey.c), beside a count one by one and moments in long digits. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define BOUND 1e-13

/* Long runs and short ones, single features, blocks of columns and several of them. */
static const struct norm_view views[] = { { 1, 1, 1 }, { 4, 3, 2 }, { 3, 2, 700 }, { 2, 5, 16 }, { 7, 5, 9 },
	{ 40, 300, 1 }, { 3000, 3, 1 }, { 2000, 1, 1 }, { 9, 70, 4 }, { 1, 9, 3 }, { 5, 257, 1 }, { 600, 300, 1 } };
#define VIEWS (sizeof(views) / sizeof(views[0]))

struct result {
	struct norm_tally *tally;
	double *mean, *var;
};

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static struct result
result_new(size_t features)
{
	return (struct result){ allocate(features, sizeof(struct norm_tally)), allocate(features, sizeof(double)),
		allocate(features, sizeof(double)) };
}

static void
result_free(struct result *r)
{
	free(r->tally);
	free(r->mean);
	free(r->var);
}

/* Beyond 1.5 around 1; the arrays of a call are features long. */
static struct norm_pass
survey(enum norm_real real, const void *x, struct norm_view v, struct result *r, double *numbers)
{
	for (size_t f = 0; f < v.feature; f++) {
		numbers[f] = 1;
		numbers[v.feature + f] = 1.5;
	}
	return (struct norm_pass){ .op = &norm_survey,
		.real = real,
		.view = v,
		.x = x,
		.by = { .mean = numbers },
		.reach = numbers + v.feature,
		.mean = r->mean,
		.var = r->var,
		.tally = r->tally };
}

/* Numbers around 1, of which one in `rare` is a NaN, and as many are infinite. */
static void *
tensor_new(enum norm_real real, struct norm_view v, uint64_t rare)
{
	uint64_t seed = 5 + view_size(v);
	void *x = allocate(view_size(v), sizeof(double));

	for (size_t i = 0; i < view_size(v); i++) {
		const uint64_t pick = random_next(&seed) % rare;

		element_set(real, x, i,
		    pick == 0     ? NAN :
			pick == 1 ? INFINITY :
			pick == 2 ? -INFINITY :
				    1 + random_deviate(&seed));
	}
	return x;
}

/* The place of value `i` of feature `f`. */
static size_t
place(struct norm_view v, size_t f, size_t i)
{
	return (i / v.inner * v.feature + f) * v.inner + i % v.inner;
}

static void
count_one(struct norm_tally *t, double value)
{
	t->nan += isnan(value);
	t->infinite += isinf(value) != 0;
	if (!isfinite(value))
		return;
	t->finite++;
	t->beyond += value > 2.5 || value < -0.5;
	t->min = value < t->min ? value : t->min;
	t->max = value > t->max ? value : t->max;
}

static void
check_moments(enum norm_real real, const void *x, struct norm_view v, size_t f, const struct result *r)
{
	WIDE n = (double)r->tally[f].finite, mean = 0, var = 0, value;

	for (size_t i = 0; i < norm_view_count(v); i++)
		if (isfinite(element_get(real, x, place(v, f, i))))
			mean += element_get(real, x, place(v, f, i)) / n;
	for (size_t i = 0; i < norm_view_count(v); i++) {
		value = element_get(real, x, place(v, f, i)) - mean;
		if (isfinite((double)value))
			var += value * value / n;
	}
	ck_assert(wide_abs(r->mean[f] - mean) <= BOUND * wide_max(wide_abs(mean), wide_sqrt(var)));
	ck_assert(r->var[f] >= 0 && wide_abs(r->var[f] - var) <= BOUND * var);
}

static void
check_feature(enum norm_real real, const void *x, struct norm_view v, size_t f, const struct result *r)
{
	struct norm_tally expected = { .min = INFINITY, .max = -INFINITY };

	for (size_t i = 0; i < norm_view_count(v); i++)
		count_one(&expected, element_get(real, x, place(v, f, i)));
	ck_assert_mem_eq(&r->tally[f], &expected, sizeof(expected));
	if (expected.finite == 0)
		ck_assert(r->mean[f] == 0 && r->var[f] == 0);
	else
		check_moments(real, x, v, f, r);
}

START_TEST(each_value_counts_once)
{
	static const uint64_t rarities[] = { 3, 4, 50, UINT64_MAX };

	for (size_t p = 0; p < VIEWS; p++)
		for (size_t i = 0; i < sizeof(rarities) / sizeof(rarities[0]); i++) {
			const struct norm_view v = views[p];
			void *x = tensor_new(reals[_i], v, rarities[i]);
			double *numbers = allocate(2 * v.feature, sizeof(*numbers));
			struct result r = result_new(v.feature);

			ck_assert(run(survey(reals[_i], x, v, &r, numbers)));
			for (size_t f = 0; f < v.feature; f += 1 + v.feature / 20)
				check_feature(reals[_i], x, v, f, &r);
			result_free(&r);
			free(numbers);
			free(x);
		}
}
END_TEST

/* The bits of the whole, for each number of parts. */
START_TEST(parts_are_the_whole)
{
	for (size_t p = 0; p < VIEWS; p++) {
		const struct norm_view v = views[p];
		void *x = tensor_new(reals[_i], v, 30);
		double *numbers = allocate(2 * v.feature, sizeof(*numbers));
		struct result whole = result_new(v.feature), parts = result_new(v.feature);
		const struct norm_pass pass = survey(reals[_i], x, v, &parts, numbers);
		const struct norm_cut cut = pass.op->cut(&pass);
		const size_t count = cut_most(cut.count, cut.step);

		ck_assert(run(survey(reals[_i], x, v, &whole, numbers)));
		for (size_t i = count; i-- > 0;)
			ck_assert(pass.op->part(&pass, cut_part(cut.count, cut.step, count, i)));
		ck_assert_mem_eq(parts.tally, whole.tally, v.feature * sizeof(struct norm_tally));
		ck_assert_mem_eq(parts.mean, whole.mean, v.feature * sizeof(double));
		ck_assert_mem_eq(parts.var, whole.var, v.feature * sizeof(double));
		result_free(&whole);
		result_free(&parts);
		free(numbers);
		free(x);
	}
}
END_TEST

/* The survey of `n` doubles of one feature. */
static struct norm_tally
survey_of(const double *x, size_t n, double *mean, double *var)
{
	struct norm_tally tally;
	struct result r = { &tally, mean, var };
	double numbers[2];

	ck_assert(run(survey(NORM_DOUBLE, x, (struct norm_view){ n, 1, 1 }, &r, numbers)));
	return tally;
}

/* 0.1 is no sum of powers of two: its mean would be rounded. */
START_TEST(equal_values_have_no_deviation)
{
	static const double values[] = { 0.1, -7e300, 1e16 + 2, DBL_TRUE_MIN, -0.0 };
	double x[1001], mean, var;

	for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
		for (size_t i = 0; i < 1000; i++)
			x[i] = values[k];
		x[1000] = NAN;
		(void)survey_of(x, 1001, &mean, &var);
		ck_assert(mean == values[k] && var == 0);
	}
}
END_TEST

/* A large mean costs no digits; values an ulp apart have a variance. */
START_TEST(hard_numbers)
{
	const double small[] = { 1e16, 1e16 + 2, NAN, 1e16, 1e16 + 2 };
	double x[1000], mean, var;

	(void)survey_of(small, 5, &mean, &var);
	ck_assert(mean == 1e16 && var == 1);
	for (size_t i = 0; i < 1000; i++)
		x[i] = 1e8 + (double)(i % 2) * 1e-4;
	(void)survey_of(x, 1000, &mean, &var);
	ck_assert(fabs(var / (x[1] - x[0]) / (x[1] - x[0]) - 0.25) < 1e-9);
}
END_TEST

START_TEST(moments_beyond_doubles_are_not_finite)
{
	const double x[] = { -DBL_MAX, DBL_MAX, 0, DBL_MAX };
	double mean, var;
	const struct norm_tally t = survey_of(x, 4, &mean, &var);

	ck_assert(t.finite == 4 && t.min == -DBL_MAX && t.max == DBL_MAX);
	ck_assert(!isfinite(var));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("survey");
	TCase *t = tcase_create("survey");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, each_value_counts_once, 0, REALS);
	tcase_add_loop_test(t, parts_are_the_whole, 0, REALS);
	tcase_add_test(t, equal_values_have_no_deviation);
	tcase_add_test(t, hard_numbers);
	tcase_add_test(t, moments_beyond_doubles_are_not_finite);
	suite_add_tcase(s, t);
	return s;
}
