/* SPDX-License-Identifier: MIT */
/*
 * Sums of few features in bands (norm/feature_bands.h): which views have them, that the sums are right however the
 * values lie, and that they are the same in whatever order the bands are done.
 */
#include "norm/feature_bands.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

/* Channels last; a few features of short runs, in several blocks; long runs; fewer samples than bands could be. */
static const struct norm_view banded[] = { { 17000, 64, 1 }, { 1400, 70, 11 }, { 13, 3, 30000 }, { 3, 2, 180000 } };
#define BANDED (sizeof(banded) / sizeof(banded[0]))

static double *
doubles(size_t n)
{
	double *p = calloc(n, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	return p;
}

/* A tensor of float, each feature f about `mean` + f. */
static float *
tensor_about(double mean, struct norm_view v, uint64_t seed)
{
	float *x = malloc(view_size(v) * sizeof(*x));

	ck_assert_ptr_nonnull(x);
	for (size_t i = 0; i < view_size(v); i++)
		x[i] = (float)(mean + (double)(i / v.inner % v.feature) + random_deviate(&seed));
	return x;
}

START_TEST(which_views)
{
	ck_assert_uint_eq(feature_bands((struct norm_view){ 100352, 64, 1 }), FEATURE_BANDS_MAX);
	ck_assert_uint_eq(feature_bands((struct norm_view){ 5, 3, 100000 }), 5);
	/* Small; one sample; features enough to be shared out; and more than there is room for. */
	ck_assert_uint_eq(feature_bands((struct norm_view){ 1000, 64, 1 }), 1);
	ck_assert_uint_eq(feature_bands((struct norm_view){ 1, 3, 1 << 20 }), 1);
	ck_assert_uint_eq(feature_bands((struct norm_view){ 32, 64, 3136 }), 1);
	ck_assert_uint_eq(feature_bands((struct norm_view){ 32, 8, 50000 }), 1);
	ck_assert_uint_eq(feature_bands((struct norm_view){ 1 << 20, 257, 1 }), 1);
	/* An empty one. */
	ck_assert_uint_eq(feature_bands((struct norm_view){ 0, 64, 1 }), 1);
}
END_TEST

static void
check_moments(const float *x, struct norm_view v, size_t f, double mean, double var)
{
	const WIDE n = (WIDE)norm_view_count(v);
	WIDE sum = 0, square = 0, d;

	for (size_t o = 0; o < v.outer; o++)
		for (size_t i = 0; i < v.inner; i++)
			sum += x[(o * v.feature + f) * v.inner + i];
	for (size_t o = 0; o < v.outer; o++)
		for (size_t i = 0; i < v.inner; i++) {
			d = x[(o * v.feature + f) * v.inner + i] - sum / n;
			square += d * d;
		}
	ck_assert(wide_abs(mean - sum / n) <= 1e-13 * (wide_abs(sum / n) + wide_sqrt(square / n)));
	ck_assert(wide_abs(var - square / n) <= 1e-13 * (square / n));
}

START_TEST(moments_are_right)
{
	static const double means[] = { 0, 1e5, 1e8 };

	for (size_t p = 0; p < BANDED; p++) {
		const struct norm_view v = banded[p];
		double *mean = doubles(v.feature), *var = doubles(v.feature);
		float *x = tensor_about(means[_i], v, 3);

		run_moments(NORM_FLOAT, x, v, mean, var);
		for (size_t f = 0; f < v.feature; f++)
			check_moments(x, v, f, mean[f], var[f]);
		free(x);
		free(mean);
		free(var);
	}
}
END_TEST

START_TEST(constants_are_exact)
{
	const struct norm_view v = banded[0];
	double *mean = doubles(v.feature), *var = doubles(v.feature);
	float *x = malloc(view_size(v) * sizeof(*x));

	for (size_t i = 0; i < view_size(v); i++)
		x[i] = i % 2 == 0 ? 3e38F : 0.1F;
	run_moments(NORM_FLOAT, x, v, mean, var);
	for (size_t f = 0; f < v.feature; f++) {
		ck_assert_double_eq(mean[f], (double)(f % 2 == 0 ? 3e38F : 0.1F));
		ck_assert_double_eq(var[f], 0);
	}
	free(x);
	free(mean);
	free(var);
}
END_TEST

START_TEST(what_is_not_finite_stays_in_its_feature)
{
	const struct norm_view v = banded[2];
	double mean[3], var[3], clean_mean[3], clean_var[3];
	float *x = tensor_about(0, v, 5);

	run_moments(NORM_FLOAT, x, v, clean_mean, clean_var);
	x[7 * v.feature * v.inner + v.inner] = _i == 0 ? NAN : INFINITY;
	run_moments(NORM_FLOAT, x, v, mean, var);
	ck_assert(!isfinite(var[1]));
	ck_assert_double_eq(mean[0], clean_mean[0]);
	ck_assert_double_eq(var[0], clean_var[0]);
	ck_assert_double_eq(mean[2], clean_mean[2]);
	ck_assert_double_eq(var[2], clean_var[2]);
	free(x);
}
END_TEST

/* Sums over gradients g. */
static struct norm_pass
sums_of(const float *x, float *g, struct norm_view v, const double *mean, const double *rstd)
{
	return (struct norm_pass){
		.op = &norm_sums, .real = NORM_FLOAT, .view = v, .x = x, .y = g, .by = { mean, rstd, NULL, NULL }
	};
}

/* The whole pass, and its bands from the last to the first: two arrays a double a feature. */
static void
check_bands(struct norm_pass pass, double *whole, double *joined)
{
	const struct norm_op *in_bands = pass.op->in_bands;
	const size_t n = pass.view.feature;

	pass.mean = pass.grad_bias = whole;
	pass.var = pass.grad_weight = whole + n;
	(void)run(pass);
	pass.mean = pass.grad_bias = joined;
	pass.var = pass.grad_weight = joined + n;
	pass.scratch = doubles(in_bands->scratch(pass.view));
	for (size_t b = in_bands->cut(&pass).count; b-- > 0;)
		(void)in_bands->part(&pass, (struct norm_part){ b, b + 1 });
	in_bands->end(&pass);
	ck_assert_mem_eq(joined, whole, 2 * n * sizeof(*whole));
	free(pass.scratch);
}

START_TEST(bands_in_any_order)
{
	for (size_t p = 0; p < BANDED; p++) {
		const struct norm_view v = banded[p];
		double *whole = doubles(2 * v.feature), *joined = doubles(2 * v.feature), *rstd = doubles(v.feature),
		       *mean = doubles(v.feature);
		float *x = tensor_about(2, v, 7), *g = tensor_about(0, v, 8);

		check_bands(pass_over(&norm_moments, NORM_FLOAT, x, v), whole, joined);
		memcpy(mean, whole, v.feature * sizeof(*mean));
		normalize_rstd(whole + v.feature, 1e-5, v.feature, rstd);
		check_bands(sums_of(x, g, v, mean, rstd), whole, joined);
		free(x);
		free(g);
		free(mean);
		free(rstd);
		free(whole);
		free(joined);
	}
}
END_TEST

/* sum and product of feature f, as norm_sums has them: within 1e-13 of the sums of magnitudes. */
static void
check_sums(const float *x, const float *g, struct norm_view v, size_t f, double mean, double sum, double product)
{
	WIDE total = 0, magnitude = 0, products = 0, products_magnitude = 0, p;

	for (size_t o = 0; o < v.outer; o++)
		for (size_t i = 0; i < v.inner; i++) {
			const size_t at = (o * v.feature + f) * v.inner + i;

			p = (WIDE)g[at] * ((WIDE)x[at] - mean);
			total += g[at];
			magnitude += wide_abs(g[at]);
			products += p;
			products_magnitude += wide_abs(p);
		}
	ck_assert(wide_abs(sum - total) <= 1e-13 * magnitude);
	ck_assert(wide_abs(product - products) <= 1e-13 * products_magnitude);
}

START_TEST(sums_are_right)
{
	for (size_t p = 0; p < BANDED; p++) {
		const struct norm_view v = banded[p];
		double *mean = doubles(v.feature), *var = doubles(v.feature), *sum = doubles(v.feature),
		       *product = doubles(v.feature);
		float *x = tensor_about(1, v, 9), *g = tensor_about(-1, v, 10);
		struct norm_pass pass = sums_of(x, g, v, mean, var);

		run_moments(NORM_FLOAT, x, v, mean, var);
		normalize_rstd(var, 1e-5, v.feature, var);
		pass.grad_bias = sum;
		pass.grad_weight = product;
		(void)run(pass);
		for (size_t f = 0; f < v.feature; f++)
			check_sums(x, g, v, f, mean[f], sum[f], product[f]);
		free(x);
		free(g);
		free(mean);
		free(var);
		free(sum);
		free(product);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("feature_bands");
	TCase *c = tcase_create("feature_bands");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, which_views);
	tcase_add_loop_test(c, moments_are_right, 0, 3);
	tcase_add_test(c, constants_are_exact);
	tcase_add_loop_test(c, what_is_not_finite_stays_in_its_feature, 0, 2);
	tcase_add_test(c, bands_in_any_order);
	tcase_add_test(c, sums_are_right);
	suite_add_tcase(s, c);
	return s;
}
