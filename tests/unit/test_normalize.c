/* SPDX-License-Identifier: MIT */
/*
 * The forward pass against the plain reference: within one unit in the last place of the slice's largest |y|, or exact.
 */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "norm/finite.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define EPS 1e-5

/* A tensor, a copy to keep, and parameters for as many features or positions as it has. */
struct fixture {
	enum norm_real real;
	size_t size;
	size_t parameters;
	void *x;
	void *before;
	double *mean;
	double *rstd;
	double *weight;
	double *bias;
};

static void *
allocate(size_t n)
{
	void *p = calloc(n + 1, sizeof(double));

	ck_assert_ptr_nonnull(p);
	return p;
}

static struct fixture
fixture_new(enum norm_real real, size_t size, size_t parameters, double mean, double deviation)
{
	struct fixture x = { .real = real, .size = size, .parameters = parameters };
	uint64_t seed = size + parameters;
	size_t i;

	x.x = allocate(size);
	x.before = allocate(size);
	x.mean = allocate(parameters);
	x.rstd = allocate(parameters);
	x.weight = allocate(parameters);
	x.bias = allocate(parameters);
	for (i = 0; i < size; i++)
		element_set(real, x.x, i, mean + deviation * random_deviate(&seed));
	memcpy(x.before, x.x, size * sizeof(double));
	for (i = 0; i < parameters; i++) {
		x.weight[i] = random_deviate(&seed);
		x.bias[i] = random_deviate(&seed);
	}
	return x;
}

static void
fixture_free(struct fixture *x)
{
	free(x->x);
	free(x->before);
	free(x->mean);
	free(x->rstd);
	free(x->weight);
	free(x->bias);
}

/* One slice being compared: what it should be at most off by depends on the largest |y| in it. */
struct slice {
	WIDE largest;
	WIDE error;
};

static void
slice_add(struct slice *s, const struct fixture *x, size_t at, WIDE y)
{
	s->largest = wide_max(s->largest, wide_abs(y));
	s->error = wide_max(s->error, wide_abs((WIDE)element_get(x->real, x->x, at) - rounded(x->real, y)));
}

/*
 * Double has no wider type to be computed in: a few roundings of its own, and the mean's. The 16-bit types are so
 * coarse that the double that is rounded to them is as good as exact: only the correctly rounded result will do.
 */
static void
slice_check(const struct slice *s, enum norm_real real, double mean, double rstd)
{
	WIDE bound = norm_real_size(real) == sizeof(uint16_t) ? 0 : ulp(real, (double)s->largest);

	if (real == NORM_DOUBLE)
		bound = 4 * bound + 4 * ulp(NORM_DOUBLE, mean) * rstd;
	ck_assert_msg(s->error <= bound, "off by %g where %g is allowed (largest %g)", (double)s->error, (double)bound,
	    (double)s->largest);
}

static void
check_feature(const struct fixture *x, struct norm_view v, size_t f, const double *weight, const double *bias)
{
	struct slice s = { 0, 0 };
	WIDE mean, var, y;
	size_t o, i, at;

	reference_moments(x->real, x->before, v, f, &mean, &var);
	for (o = 0; o < v.outer; o++)
		for (i = 0; i < v.inner; i++) {
			at = (o * v.feature + f) * v.inner + i;
			y = (element_get(x->real, x->before, at) - mean) / wide_sqrt(var + EPS);
			y = y * (weight != NULL ? weight[f] : 1) + (bias != NULL ? bias[f] : 0);
			slice_add(&s, x, at, y);
		}
	slice_check(&s, x->real, (double)mean, (weight != NULL ? fabs(weight[f]) : 1) / (double)wide_sqrt(var + EPS));
}

static void
check_by_feature(enum norm_real real, struct norm_view v, double mean, bool with_weight, bool with_bias)
{
	struct fixture x = fixture_new(real, view_size(v), v.feature, mean, 1);
	const double *weight = with_weight ? x.weight : NULL, *bias = with_bias ? x.bias : NULL;
	size_t f;

	run_moments(real, x.x, v, x.mean, x.rstd);
	normalize_rstd(x.rstd, EPS, v.feature, x.rstd);
	ck_assert(run_by(&norm_by_feature, real, x.x, v, (struct norm_by){ x.mean, x.rstd, weight, bias }));
	for (f = 0; f < v.feature; f++)
		check_feature(&x, v, f, weight, bias);
	fixture_free(&x);
}

static void
check_row(const struct fixture *x, size_t row, size_t size, const double *weight, const double *bias)
{
	const struct norm_view v = { 1, x->size / size, size };
	struct slice s = { 0, 0 };
	WIDE mean, var, y;
	double largest = 1;
	size_t i;

	reference_moments(x->real, x->before, v, row, &mean, &var);
	for (i = 0; i < size; i++) {
		y = (element_get(x->real, x->before, row * size + i) - mean) / wide_sqrt(var + EPS);
		y = y * (weight != NULL ? weight[i] : 1) + (bias != NULL ? bias[i] : 0);
		slice_add(&s, x, row * size + i, y);
		largest = weight != NULL ? fmax(largest, fabs(weight[i])) : 1;
	}
	slice_check(&s, x->real, (double)mean, largest / (double)wide_sqrt(var + EPS));
}

static void
check_rows(enum norm_real real, size_t rows, size_t size, double mean, bool with_weight, bool with_bias)
{
	struct fixture x = fixture_new(real, rows * size, size, mean, 1);
	const double *weight = with_weight ? x.weight : NULL, *bias = with_bias ? x.bias : NULL;
	size_t r;

	ck_assert(run_rows(real, x.x, rows, size, true, EPS, affine(weight, bias)));
	for (r = 0; r < rows; r++)
		check_row(&x, r, size, weight, bias);
	fixture_free(&x);
}

START_TEST(by_feature_every_small_shape)
{
	struct norm_view v;
	int with;

	for (v.outer = 1; v.outer <= 4; v.outer++)
		for (v.feature = 1; v.feature <= 4; v.feature++)
			for (v.inner = 1; v.inner <= 4; v.inner++)
				for (with = 0; with < 4; with++)
					check_by_feature(reals[_i], v, 0.5, with & 1, with & 2);
}
END_TEST

START_TEST(by_feature_edges_of_blocks)
{
	static const size_t inner[] = { 5, 15, 16, 17, 255, 256, 257 };
	static const size_t features[] = { 17, 128, 255, 256, 257, 600 };
	size_t i;
	int with;

	for (with = 0; with < 4; with++) {
		for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
			check_by_feature(reals[_i], (struct norm_view){ 3, 5, inner[i] }, 1, with & 1, with & 2);
		for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
			check_by_feature(reals[_i], (struct norm_view){ 7, features[i], 1 }, 1, with & 1, with & 2);
		check_by_feature(reals[_i], (struct norm_view){ 7, 90, 4 }, 1, with & 1, with & 2);
	}
}
END_TEST

/* In one call as in three, whatever way through the loops. */
START_TEST(batch_is_moments_and_by_feature)
{
	static const struct norm_view views[] = { { 1, 1, 2 }, { 3, 5, 16 }, { 2, 3, 257 }, { 4, 7, 196 }, { 5, 3, 1 },
		{ 70, 300, 1 }, { 9, 90, 4 } };
	size_t p;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++) {
		const struct norm_view v = views[p];
		struct fixture x = fixture_new(reals[_i], view_size(v), v.feature, 1, 2);
		const size_t bytes = v.feature * sizeof(double), width = norm_real_size(reals[_i]);
		double *mean = allocate(v.feature), *var = allocate(v.feature), *rstd = allocate(v.feature);
		void *y = allocate(x.size);
		struct norm_pass pass;

		memcpy(y, x.x, x.size * width);
		pass = pass_over(&norm_batch, reals[_i], y, v);
		pass.eps = EPS;
		pass.by = affine(x.weight, x.bias);
		pass.mean = mean;
		pass.var = var;
		pass.rstd = rstd;
		ck_assert(run(pass));
		run_moments(reals[_i], x.x, v, x.mean, x.rstd);
		ck_assert_mem_eq(mean, x.mean, bytes);
		ck_assert_mem_eq(var, x.rstd, bytes);
		normalize_rstd(x.rstd, EPS, v.feature, x.rstd);
		ck_assert_mem_eq(rstd, x.rstd, bytes);
		ck_assert(
		    run_by(&norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.mean, x.rstd, x.weight, x.bias }));
		ck_assert_mem_eq(y, x.x, x.size * width);
		element_set(reals[_i], x.before, x.size - 1, NAN);
		pass.y = x.before;
		ck_assert(!run(pass));
		free(mean);
		free(var);
		free(rstd);
		free(y);
		fixture_free(&x);
	}
}
END_TEST

/* Cut where norm/view.h says that it may be. */
START_TEST(parts_are_the_whole)
{
	const struct norm_view v = { 7, 5, 40 }, first = { 3, 5, 40 }, rest = { 4, 5, 40 };
	const size_t width = norm_real_size(reals[_i]), cut = 3 * 5 * 40;
	struct fixture x = fixture_new(reals[_i], view_size(v), 40, 1, 2);
	unsigned char *parts = x.before;
	double whole[2 * 35], apart[2 * 35];

	run_moments(reals[_i], x.x, (struct norm_view){ 1, 35, 40 }, whole, whole + 35);
	run_moments(reals[_i], x.x, (struct norm_view){ 1, 15, 40 }, apart, apart + 35);
	run_moments(reals[_i], parts + cut * width, (struct norm_view){ 1, 20, 40 }, apart + 15, apart + 50);
	ck_assert_mem_eq(whole, apart, sizeof(whole));

	run_by(&norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.weight, x.bias, x.weight, x.bias });
	run_by(&norm_by_feature, reals[_i], parts, first, (struct norm_by){ x.weight, x.bias, x.weight, x.bias });
	run_by(&norm_by_feature, reals[_i], parts + cut * width, rest,
	    (struct norm_by){ x.weight, x.bias, x.weight, x.bias });
	ck_assert_mem_eq(x.x, parts, x.size * width);

	run_rows(reals[_i], x.x, 35, 40, true, EPS, affine(x.weight, x.bias));
	run_rows(reals[_i], parts, 15, 40, true, EPS, affine(x.weight, x.bias));
	run_rows(reals[_i], parts + cut * width, 20, 40, true, EPS, affine(x.weight, x.bias));
	ck_assert_mem_eq(x.x, parts, x.size * width);
	fixture_free(&x);
}
END_TEST

/* A row of numbers so large, or with a weight so large, that y may not fit: the loops that look must be taken. */
START_TEST(rows_whose_weight_is_too_large)
{
	const double factor = real_max(reals[_i]);
	struct fixture x = fixture_new(reals[_i], 8 * 64, 64, 0, 1);
	size_t i;

	for (i = 0; i < 64; i++)
		x.weight[i] = factor;
	ck_assert(!run_rows(reals[_i], x.x, 8, 64, true, EPS, affine(x.weight, NULL)));
	memcpy(x.x, x.before, x.size * norm_real_size(reals[_i]));
	for (i = 0; i < 64; i++) {
		x.weight[i] = 0;
		x.bias[i] = factor;
	}
	ck_assert(run_rows(reals[_i], x.x, 8, 64, true, EPS, affine(x.weight, x.bias)));
	fixture_free(&x);
}
END_TEST

START_TEST(rows_every_small_shape)
{
	size_t rows, size;
	int with;

	for (rows = 1; rows <= 5; rows++)
		for (size = 1; size <= 5; size++)
			for (with = 0; with < 4; with++)
				check_rows(reals[_i], rows, size, 0.5, with & 1, with & 2);
}
END_TEST

START_TEST(rows_edges_of_blocks)
{
	static const size_t sizes[] = { 15, 16, 17, 63, 64, 65, 255, 256, 257, 768, 4095, 4096, 4097 };
	size_t i;
	int with;

	for (with = 0; with < 4; with++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check_rows(reals[_i], 4096 / sizes[i] + 3, sizes[i], -1, with & 1, with & 2);
	check_rows(reals[_i], 1000, 3, 1, true, true);
}
END_TEST

START_TEST(large_mean)
{
	static const double means[] = { 1e5, -1e6 }, half_means[] = { 1e3, -3e4 };
	double mean;
	size_t i;

	for (i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
		mean = reals[_i] == NORM_HALF ? half_means[i] : means[i];
		check_by_feature(reals[_i], (struct norm_view){ 16, 8, 64 }, mean, true, true);
		check_by_feature(reals[_i], (struct norm_view){ 200, 8, 1 }, mean, true, true);
		check_rows(reals[_i], 9, 768, mean, true, true);
	}
}
END_TEST

START_TEST(constant_slice_gives_the_bias)
{
	struct fixture x = fixture_new(reals[_i], 60, 20, fmin(1e30, real_max(reals[_i])), 0);
	const struct norm_view v = { 3, 20, 1 };
	size_t i;

	run_moments(reals[_i], x.x, v, x.mean, x.rstd);
	normalize_rstd(x.rstd, EPS, v.feature, x.rstd);
	ck_assert(run_by(&norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.mean, x.rstd, x.weight, NULL }));
	for (i = 0; i < x.size; i++)
		ck_assert(element_get(reals[_i], x.x, i) == 0);
	memcpy(x.x, x.before, x.size * sizeof(double));
	ck_assert(run_rows(reals[_i], x.x, 3, 20, true, EPS, affine(x.weight, x.bias)));
	for (i = 0; i < x.size; i++)
		ck_assert(element_get(reals[_i], x.x, i) == rounded(reals[_i], x.bias[i % 20]));
	fixture_free(&x);
}
END_TEST

START_TEST(rstd_in_place_and_apart)
{
	double var[] = { 0, 1, 3, 1e-300, 1e300 }, rstd[5];
	size_t f;

	normalize_rstd(var, 1e-3, 5, rstd);
	for (f = 0; f < 5; f++)
		ck_assert_double_eq_tol(rstd[f] * sqrt(var[f] + 1e-3), 1, 4 * DBL_EPSILON);
	normalize_rstd(var, 1e-3, 5, var);
	ck_assert_mem_eq(var, rstd, sizeof(rstd));
}
END_TEST

/* One bad element: its row is told and is not finite, every other row has the same bits as without it. */
static void
check_bad_row(enum norm_real real, size_t rows, size_t size, double bad)
{
	struct fixture x = fixture_new(real, rows * size, size, 0, 1);
	const size_t width = norm_real_size(real), row = rows / 2, at = row * size + size / 2;
	unsigned char *clean = x.x, *poisoned = x.before;
	size_t i;

	element_set(real, x.before, at, bad);
	ck_assert(run_rows(real, x.x, rows, size, true, EPS, affine(x.weight, x.bias)));
	ck_assert(!run_rows(real, x.before, rows, size, true, EPS, affine(x.weight, x.bias)));
	ck_assert_mem_eq(clean, poisoned, row * size * width);
	i = (row + 1) * size * width;
	ck_assert_mem_eq(clean + i, poisoned + i, rows * size * width - i);
	for (i = 0; i < size; i++)
		ck_assert(!isfinite(element_get(real, x.before, row * size + i)));
	fixture_free(&x);
}

START_TEST(rows_that_are_not_finite)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check_bad_row(reals[_i], 3, 1, bad[i]);
		check_bad_row(reals[_i], 100, 3, bad[i]);
		check_bad_row(reals[_i], 5, 700, bad[i]);
		check_bad_row(reals[_i], 3, 5000, bad[i]);
	}
}
END_TEST

/* A result that overflows the element type is told, wherever it stands. */
START_TEST(results_that_are_not_finite)
{
	static const struct norm_view views[] = { { 2, 3, 40 }, { 20, 3, 1 }, { 3, 300, 1 }, { 9, 5, 7 } };
	const double factor = real_max(reals[_i]);
	size_t p, f, i;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++) {
		struct norm_view v = views[p];
		struct fixture x = fixture_new(reals[_i], view_size(v), v.feature, 0, 0);

		for (f = 0; f < v.feature; f++) {
			x.rstd[f] = 1;
			x.weight[f] = factor;
		}
		for (i = 0; i < x.size; i++) {
			memset(x.x, 0, x.size * sizeof(double));
			ck_assert(run_by(
			    &norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.mean, x.rstd, x.weight, NULL }));
			element_set(reals[_i], x.x, i, 2);
			ck_assert(!run_by(
			    &norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.mean, x.rstd, x.weight, NULL }));
		}
		fixture_free(&x);
	}
}
END_TEST

/*
 * In the loops that are vectors, too, every finite value of 16 bits is read and stored as it is, also the subnormal
 * ones.
 */
START_TEST(identity_keeps_every_16_bits)
{
	const enum norm_real real = _i == 0 ? NORM_HALF : NORM_BFLOAT;
	const double zero = 0, one = 1;
	uint16_t *x = allocate(0x10000), *infinite = allocate(1);
	size_t i, n = 0;

	for (i = 0; i < 0x10000; i++)
		if (isfinite(reference_value16(real, (unsigned)i)))
			x[n++] = (uint16_t)i;
	ck_assert(run_by(
	    &norm_by_feature, real, x, (struct norm_view){ 1, 1, n }, (struct norm_by){ &zero, &one, &one, NULL }));
	for (i = 0; i < n; i++)
		ck_assert(reference_value16(real, x[i]) ==
		    reference_value16(real, (unsigned)(i + (i < n / 2 ? 0 : 0x8000 - n / 2))));
	element_set(real, infinite, 0, INFINITY);
	ck_assert(!run_by(&norm_by_feature, real, infinite, (struct norm_view){ 1, 1, 1 },
	    (struct norm_by){ &zero, &one, &one, NULL }));
	free(x);
	free(infinite);
}
END_TEST

START_TEST(no_eps_and_no_variance_is_not_finite)
{
	float x[] = { 2, 2, 2, 2 };

	ck_assert(!run_rows(NORM_FLOAT, x, 1, 4, true, 0, affine(NULL, NULL)));
}
END_TEST

START_TEST(finite_numbers_are_told_from_others)
{
	static const double bad[] = { NAN, -NAN, INFINITY, -INFINITY };
	double x[] = { 0.0, -0.0, DBL_MAX, -DBL_MAX, DBL_MIN, -DBL_TRUE_MIN, 1 };
	const size_t n = sizeof(x) / sizeof(x[0]);

	ck_assert(finite_all(x, n));
	for (size_t i = 0; i < n; i++)
		for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
			const double kept = x[i];

			x[i] = bad[b];
			ck_assert(!finite_all(x, n));
			ck_assert(finite_all(x, i));
			x[i] = kept;
		}
}
END_TEST

START_TEST(numbers_below_a_power_are_told_from_others)
{
	static const int powers[] = { -1022, 0, 510, 1023 };

	for (size_t i = 0; i < sizeof(powers) / sizeof(powers[0]); i++) {
		const double end = ldexp(1, powers[i]), x[] = { 0.0, -nextafter(end, 0), nextafter(end, 0), -end };

		ck_assert(finite_below(x, 3, powers[i]));
		ck_assert(!finite_below(x, 4, powers[i]));
		ck_assert(!finite_below((double[]){ NAN }, 1, powers[i]));
	}
}
END_TEST

START_TEST(no_rows)
{
	ck_assert(run_rows(reals[_i], NULL, 0, 4, true, EPS, affine(NULL, NULL)));
}
END_TEST

/* Elements need not lie better than their own size asks, and where they lie changes no bit. */
START_TEST(any_element_alignment)
{
	static const struct norm_view views[] = { { 2, 3, 40 }, { 20, 3, 1 }, { 1, 5, 700 } };
	const size_t width = norm_real_size(reals[_i]);
	size_t p;

	for (p = 0; p < sizeof(views) / sizeof(views[0]); p++) {
		struct norm_view v = views[p];
		struct fixture x = fixture_new(reals[_i], view_size(v), v.feature * v.inner, 0, 1);
		unsigned char *apart = x.before;

		run_moments(reals[_i], x.x, v, x.mean, x.rstd);
		memmove(apart + width, apart, x.size * width);
		run_by(&norm_by_feature, reals[_i], x.x, v, (struct norm_by){ x.mean, x.rstd, x.weight, x.bias });
		run_by(&norm_by_feature, reals[_i], apart + width, v,
		    (struct norm_by){ x.mean, x.rstd, x.weight, x.bias });
		ck_assert_mem_eq(x.x, apart + width, x.size * width);
		run_rows(reals[_i], x.x, v.outer, v.feature * v.inner, true, EPS, affine(x.weight, x.bias));
		run_rows(reals[_i], apart + width, v.outer, v.feature * v.inner, true, EPS, affine(x.weight, x.bias));
		ck_assert_mem_eq(x.x, apart + width, x.size * width);
		fixture_free(&x);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("normalize");
	TCase *t = tcase_create("normalize");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, by_feature_every_small_shape, 0, REALS);
	tcase_add_loop_test(t, by_feature_edges_of_blocks, 0, REALS);
	tcase_add_loop_test(t, batch_is_moments_and_by_feature, 0, REALS);
	tcase_add_loop_test(t, parts_are_the_whole, 0, REALS);
	tcase_add_loop_test(t, rows_whose_weight_is_too_large, 0, REALS);
	tcase_add_loop_test(t, rows_every_small_shape, 0, REALS);
	tcase_add_loop_test(t, rows_edges_of_blocks, 0, REALS);
	tcase_add_loop_test(t, large_mean, 0, REALS);
	tcase_add_loop_test(t, constant_slice_gives_the_bias, 0, REALS);
	tcase_add_test(t, rstd_in_place_and_apart);
	tcase_add_loop_test(t, rows_that_are_not_finite, 0, REALS);
	tcase_add_loop_test(t, results_that_are_not_finite, 0, REALS);
	tcase_add_loop_test(t, identity_keeps_every_16_bits, 0, 2);
	tcase_add_test(t, no_eps_and_no_variance_is_not_finite);
	tcase_add_test(t, finite_numbers_are_told_from_others);
	tcase_add_test(t, numbers_below_a_power_are_told_from_others);
	tcase_add_loop_test(t, no_rows, 0, REALS);
	tcase_add_loop_test(t, any_element_alignment, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
