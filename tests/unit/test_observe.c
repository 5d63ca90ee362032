/* SPDX-License-Identifier: MIT */
/*
 * Inference that measures what it reads (norm_observe): the tensor gets the bits of norm_by_feature, and the moments
 * are right wherever the values lie; both have the same bits in parts, with threads and in each set of instructions.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "norm/kernels/kernels.h"
#include "server/workers.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

/* Long runs with every kind of rest, in one band and in several; columns in one block and in several, folded or not. */
static const struct norm_view views[] = { { 1, 1, 1 }, { 8, 16, 1 }, { 5, 7, 1 }, { 1, 3, 2 }, { 3, 2, 16 },
	{ 7, 5, 40 }, { 1, 3, 1030 }, { 70, 3, 33 }, { 2, 600, 1 }, { 90, 300, 1 }, { 70, 48, 1 }, { 3000, 3, 1 },
	{ 500, 70, 4 } };
#define VIEWS (sizeof(views) / sizeof(views[0]))

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* A tensor twice, what both are normalized by, and the moments that were measured of each: means, then variances. */
struct fixture {
	enum norm_real real;
	struct norm_view view;
	size_t bytes;
	unsigned char *x, *one, *two;
	double *parameters; /* mean, rstd, weight, bias */
	double *moments_one, *moments_two;
	double *scratch;
};

static struct fixture
fixture_new(enum norm_real real, struct norm_view v)
{
	struct fixture f = { .real = real, .view = v, .bytes = view_size(v) * norm_real_size(real) };
	uint64_t seed = 5;

	f.x = allocate(f.bytes, 1);
	f.one = allocate(f.bytes, 1);
	f.two = allocate(f.bytes, 1);
	f.parameters = allocate(4 * v.feature, sizeof(double));
	f.moments_one = allocate(2 * v.feature, sizeof(double));
	f.moments_two = allocate(2 * v.feature, sizeof(double));
	f.scratch = allocate(norm_observe.scratch(v), sizeof(double));
	for (size_t i = 0; i < 4 * v.feature; i++)
		f.parameters[i] = 1 + random_deviate(&seed) / 8;
	for (size_t i = 0; i < view_size(v); i++)
		element_set(real, f.x, i, 3 + random_deviate(&seed));
	return f;
}

static void
fixture_free(const struct fixture *f)
{
	void *const all[] = { f->x, f->one, f->two, f->parameters, f->moments_one, f->moments_two, f->scratch };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

/* The pass over a copy of x in `y`, the moments to `moments`. */
static struct norm_pass
observing(const struct fixture *f, unsigned char *y, double *moments)
{
	const size_t n = f->view.feature;
	struct norm_pass pass = pass_over(&norm_observe, f->real, y, f->view);

	memcpy(y, f->x, f->bytes);
	pass.by = (struct norm_by){ f->parameters, f->parameters + n, f->parameters + 2 * n, f->parameters + 3 * n };
	pass.count = norm_view_count(f->view);
	pass.mean = moments;
	pass.var = moments + n;
	pass.scratch = f->scratch;
	return pass;
}

static void
check_alike(const struct fixture *f, const char *what, size_t parts)
{
	ck_assert_msg(memcmp(f->one, f->two, f->bytes) == 0 &&
		memcmp(f->moments_one, f->moments_two, 2 * f->view.feature * sizeof(double)) == 0,
	    "(%zu,%zu,%zu), type %d, differs %s %zu", f->view.outer, f->view.feature, f->view.inner, (int)f->real, what,
	    parts);
}

/* The most that a first value may be farther from 0 than from another value, so that the sums may be taken about 0. */
#define NEAR 16

/* Whether feature `i` may be summed about 0. */
static bool
near_zero(const struct fixture *f, size_t i)
{
	const struct norm_view v = f->view;
	const double first = element_get(f->real, f->x, i * v.inner);
	bool any = false;

	for (size_t o = 0; o < v.outer; o++)
		for (size_t k = 0; k < v.inner; k++)
			any |= fabs(first) <=
			    NEAR * fabs(element_get(f->real, f->x, (o * v.feature + i) * v.inner + k) - first);
	return any && f->real != NORM_DOUBLE;
}

/*
 * The moments of feature `i`, against quadruple precision. The variance is within 1e-13 of itself and of the squared
 * distance of the mean from what the sums are shifted by: the first value, or 0 where that is near.
 */
static void
check_feature(const struct fixture *f, size_t i)
{
	const struct norm_view v = f->view;
	const WIDE n = (WIDE)norm_view_count(v), first = element_get(f->real, f->x, i * v.inner);
	const double mean = f->moments_one[i], var = f->moments_one[v.feature + i];
	WIDE sum = 0, square = 0, d;

	for (size_t o = 0; o < v.outer; o++)
		for (size_t k = 0; k < v.inner; k++)
			sum += element_get(f->real, f->x, (o * v.feature + i) * v.inner + k);
	for (size_t o = 0; o < v.outer; o++)
		for (size_t k = 0; k < v.inner; k++) {
			d = element_get(f->real, f->x, (o * v.feature + i) * v.inner + k) - sum / n;
			square += d * d;
		}
	d = near_zero(f, i) ? wide_abs(sum / n) + wide_abs(first) : sum / n - first;
	ck_assert(wide_abs(mean - sum / n) <= 1e-13 * (wide_abs(sum / n) + wide_abs(d) + wide_sqrt(square / n)));
	ck_assert_msg(wide_abs(var - square / n) <= 1e-13 * (square / n + d * d), "(%zu,%zu,%zu): %g, not %g", v.outer,
	    v.feature, v.inner, var, (double)(square / n));
}

static void
check_right(const struct fixture *f)
{
	struct norm_pass plain = observing(f, f->two, f->moments_two);

	ck_assert(run(observing(f, f->one, f->moments_one)));
	plain.op = &norm_by_feature;
	ck_assert(run(plain));
	ck_assert_mem_eq(f->one, f->two, f->bytes);
	for (size_t i = 0; i < f->view.feature; i++)
		check_feature(f, i);
}

/* Also a million deviations away from the mean that the tensor is normalized by, and with a first value that is odd. */
START_TEST(moments_are_right_and_outputs_unchanged)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		uint64_t seed = 7;

		check_right(&f);
		for (size_t i = 0; i < view_size(f.view); i++)
			element_set(f.real, f.x, i, (f.real == NORM_HALF ? 1e3 : 1e6) + random_deviate(&seed));
		check_right(&f);
		element_set(f.real, f.x, 0, -5e3);
		check_right(&f);
		fixture_free(&f);
	}
}
END_TEST

/*
 * Features of each kind side by side: near 0, far from it, at the border and beyond (two values in turn, of which the
 * first is NEAR times as far from 0 as from the second, or a little farther), and constants.
 */
static double
odd_value(const struct norm_view v, size_t i, double deviate)
{
	const size_t feature = i / v.inner % v.feature;
	const bool second = (i % v.inner + i / v.inner / v.feature) % 2 != 0;

	switch (feature % 6) {
	case 0:
		return deviate;
	case 1:
		return 1000 + 8 * deviate; /* not one number of bfloat */
	case 2:
		return second ? 15 : 16;
	case 3:
		return second ? 15.75 : 17;
	case 4:
		return 0;
	default:
		return 1.5 + (double)(feature % 50);
	}
}

START_TEST(features_of_all_kinds_in_one_tensor)
{
	static const struct norm_view mixed[] = { { 80, 300, 1 }, { 65, 7, 1 }, { 3000, 12, 1 }, { 50, 13, 3 },
		{ 3, 12, 49 }, { 70, 6, 196 }, { 1, 7, 4100 } };

	for (size_t p = 0; p < sizeof(mixed) / sizeof(mixed[0]); p++) {
		struct fixture f = fixture_new(reals[_i], mixed[p]);
		const double *var = f.moments_one + f.view.feature;
		uint64_t seed = 9;

		for (size_t i = 0; i < view_size(f.view); i++)
			element_set(f.real, f.x, i, odd_value(f.view, i, random_deviate(&seed)));
		check_right(&f);
		for (size_t i = 0; i < f.view.feature; i++) {
			ck_assert(i % 6 >= 4 ? var[i] == 0 : var[i] > 0);
			if (i % 6 >= 4)
				ck_assert_double_eq(f.moments_one[i], element_get(f.real, f.x, i * f.view.inner));
		}
		fixture_free(&f);
	}
}
END_TEST

START_TEST(constants_are_exact)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);

		for (size_t i = 0; i < view_size(f.view); i++)
			element_set(f.real, f.x, i, 0.1 * (double)(1 + i / f.view.inner % f.view.feature));
		ck_assert(run(observing(&f, f.one, f.moments_one)));
		for (size_t i = 0; i < f.view.feature; i++) {
			ck_assert_double_eq(f.moments_one[i], element_get(f.real, f.x, i * f.view.inner));
			ck_assert_double_eq(f.moments_one[f.view.feature + i], 0);
		}
		fixture_free(&f);
	}
}
END_TEST

/* What equals the first value and is not counted, as padding after norm_fill, is in no sum. */
START_TEST(padding_is_not_measured)
{
	struct fixture f = fixture_new(reals[_i], (struct norm_view){ 40, 3, 20 });
	struct norm_pass pass = observing(&f, f.one, f.moments_one);

	for (size_t i = 0; i < view_size(f.view); i++)
		if (i / 60 >= 15)
			element_set(f.real, f.one, i, element_get(f.real, f.one, i / 20 % 3 * 20));
	pass.count = (uint64_t)15 * 20;
	ck_assert(run(pass));
	f.view.outer = 15;
	for (size_t i = 0; i < 3; i++)
		check_feature(&f, i);
	fixture_free(&f);
}
END_TEST

/* The first value, the last one, one of a rest. */
START_TEST(what_is_not_finite_shows_in_its_feature)
{
	static const struct norm_view some[] = { { 4, 3, 33 }, { 70, 3, 1 }, { 70, 300, 1 } };

	for (size_t p = 0; p < sizeof(some) / sizeof(some[0]); p++)
		for (size_t at = 0; at < 3; at++) {
			struct fixture f = fixture_new(reals[_i], some[p]);
			const size_t n = view_size(f.view), i = at == 0 ? 0 : at == 1 ? n - 1 : n / 2;
			const size_t feature = i / f.view.inner % f.view.feature;

			element_set(f.real, f.x, i, at == 1 ? NAN : INFINITY);
			ck_assert(!run(observing(&f, f.one, f.moments_one)));
			for (size_t k = 0; k < f.view.feature; k++)
				ck_assert((isfinite(f.moments_one[f.view.feature + k]) != 0) == (k != feature));
			fixture_free(&f);
		}
}
END_TEST

/* The last parts first: what one part writes, no other reads. */
START_TEST(any_number_of_parts)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		struct norm_pass pass = observing(&f, f.one, f.moments_one);
		const struct norm_cut cut = norm_observe.cut(&pass);

		ck_assert(run(pass));
		for (size_t parts = 1; parts <= cut_most(cut.count, cut.step); parts += 1 + parts / 3) {
			pass = observing(&f, f.two, f.moments_two);
			norm_observe.begin(&pass);
			for (size_t i = parts; i-- > 0;)
				ck_assert(norm_observe.part(&pass, cut_part(cut.count, cut.step, parts, i)));
			norm_observe.end(&pass);
			check_alike(&f, "in parts", parts);
		}
		fixture_free(&f);
	}
}
END_TEST

/* Tensors that are large enough to be shared, whatever there is much of. */
START_TEST(by_threads)
{
	static const struct norm_view large[] = { { 4, 64, 4200 }, { 60, 3, 6000 }, { 18000, 64, 1 }, { 1800, 600, 1 },
		{ 1, 280000, 4 } };
	struct err e = { 0 };
	struct workers *w = workers_start(3, &e);

	ck_assert_ptr_nonnull(w);
	for (size_t p = 0; p < sizeof(large) / sizeof(large[0]); p++) {
		struct fixture f = fixture_new(NORM_FLOAT, large[p]);
		const struct norm_pass alone = observing(&f, f.one, f.moments_one);
		const struct norm_pass shared = observing(&f, f.two, f.moments_two);

		ck_assert_uint_ge(norm_observe.cut(&alone).count, 6);
		ck_assert(pass_run(NULL, &alone));
		ck_assert(pass_run(workers_crew(w), &shared));
		check_alike(&f, "by threads", 3);
		fixture_free(&f);
	}
	workers_free(w);
}
END_TEST

/*
 * One kernel over the whole view, about the first values in all features but each `every`-th, and about 0 in those; if
 * `every` is 0 by shifts of its own, and the moments are put beside the sums.
 */
static void
run_kernel(const struct kernels *k, struct norm_pass pass, size_t every, double *sums)
{
	const size_t n = pass.view.feature;

	for (size_t i = 0; i < n && every > 0; i++)
		pass.mean[i] = i % every == every - 1 ? 0 : element_get(pass.real, pass.y, i * pass.view.inner);
	pass.scratch = every > 0 ? sums : NULL;
	(void)k->of[pass.real]->observe(&pass, (struct norm_part){ 0, n });
	if (every > 0)
		return;
	memcpy(sums, pass.mean, n * sizeof(*sums));
	memcpy(sums + n, pass.var, n * sizeof(*sums));
}

/* Bands need the shifts before: each kernel chooses those of one band. */
static void
run_shifts(const struct kernels *k, struct norm_pass pass, double *shifts)
{
	pass.mean = shifts;
	(void)k->of[pass.real]->shifts(&pass, (struct norm_part){ 0, pass.view.feature });
}

/* A NaN's sign and payload are the processor's. */
static void
nans_alike(enum norm_real real, void *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isnan(element_get(real, x, i)))
			element_set(real, x, i, NAN);
}

static void
check_sets(struct fixture *f, size_t every)
{
	const size_t n = 2 * f->view.feature;
	double *sums = allocate(2 * n, sizeof(*sums));
	const struct kernels *k;

	run_kernel(kernels_usable(0), observing(f, f->one, f->moments_one), every, sums);
	nans_alike(f->real, f->one, view_size(f->view));
	nans_alike(NORM_DOUBLE, sums, n);
	for (size_t i = 1; (k = kernels_usable(i)) != NULL; i++) {
		run_kernel(k, observing(f, f->two, f->moments_two), every, sums + n);
		nans_alike(f->real, f->two, view_size(f->view));
		nans_alike(NORM_DOUBLE, sums + n, n);
		ck_assert_msg(memcmp(f->one, f->two, f->bytes) == 0 && memcmp(sums, sums + n, n * sizeof(*sums)) == 0,
		    "%s differs on (%zu,%zu,%zu) of type %d", k->name, f->view.outer, f->view.feature, f->view.inner,
		    (int)f->real);
	}
	free(sums);
}

static void
check_shifts(struct fixture *f)
{
	const size_t n = f->view.feature;
	double *shifts = allocate(2 * n, sizeof(*shifts));
	const struct kernels *k;

	run_shifts(kernels_usable(0), observing(f, f->one, f->moments_one), shifts);
	nans_alike(NORM_DOUBLE, shifts, n);
	for (size_t i = 1; (k = kernels_usable(i)) != NULL; i++) {
		run_shifts(k, observing(f, f->two, f->moments_two), shifts + n);
		nans_alike(NORM_DOUBLE, shifts + n, n);
		ck_assert_mem_eq(shifts, shifts + n, n * sizeof(*shifts));
	}
	free(shifts);
}

/* With usual numbers, and with any bits: subnormals, huge numbers, infinities, NaNs. */
START_TEST(every_set_of_instructions)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		uint64_t seed = 8;

		check_shifts(&f);
		for (size_t every = 0; every <= 3; every++)
			check_sets(&f, every);
		for (size_t i = 0; i < f.bytes; i++)
			f.x[i] = (unsigned char)random_next(&seed);
		check_shifts(&f);
		for (size_t every = 0; every <= 3; every++)
			check_sets(&f, every);
		fixture_free(&f);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("observe");
	TCase *t = tcase_create("observe");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, moments_are_right_and_outputs_unchanged, 0, REALS);
	tcase_add_loop_test(t, features_of_all_kinds_in_one_tensor, 0, REALS);
	tcase_add_loop_test(t, constants_are_exact, 0, REALS);
	tcase_add_loop_test(t, padding_is_not_measured, 0, REALS);
	tcase_add_loop_test(t, what_is_not_finite_shows_in_its_feature, 0, REALS);
	tcase_add_loop_test(t, any_number_of_parts, 0, REALS);
	tcase_add_test(t, by_threads);
	tcase_add_loop_test(t, every_set_of_instructions, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
