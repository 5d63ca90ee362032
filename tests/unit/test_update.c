/* SPDX-License-Identifier: MIT */
/* The laws of norm/update.h, with seeded random batches against the moments of all values taken together. */
#include "norm/update.h"

#include <float.h>

#include "tests/unit/update_state.h"

static const enum averaging averagings[] = { AVERAGING_EXPONENTIAL, AVERAGING_CUMULATIVE, AVERAGING_POOLED,
	AVERAGING_DECAYED };

START_TEST(deterministic)
{
	static double x[VALUES * FEATURES];
	struct state a, b;
	struct batch batch;
	size_t i;

	values_init(x, 1, 3, 2);
	state_init(&a);
	state_init(&b);
	for (i = 0; i < VALUES; i += 24) {
		batch_init(&batch, x, i, 24, averagings[_i], 1);
		ck_assert_int_eq(state_apply(&a, &batch.u), UPDATE_APPLIED);
	}
	for (i = 0; i < VALUES; i += 24) {
		batch_init(&batch, x, i, 24, averagings[_i], 1);
		ck_assert_int_eq(state_apply(&b, &batch.u), UPDATE_APPLIED);
	}
	state_check_equal(&a, &b);
	ck_assert_uint_eq(a.s.num_batches_tracked, 10);
	ck_assert_uint_eq(a.s.count, averagings[_i] == AVERAGING_POOLED ? VALUES : 0);
	ck_assert(a.s.decayed_count == (averagings[_i] == AVERAGING_DECAYED ? VALUES : 0));
}
END_TEST

/* Equation 5, operation by operation: these bits are the ones that are stored. */
START_TEST(exponential_is_its_formula)
{
	static double x[VALUES * FEATURES];
	struct state t;
	struct batch b;
	double mean[FEATURES] = { 0, 0, 0 }, var[FEATURES] = { 1, 1, 1 };
	size_t i, f;

	values_init(x, 2, -1, 4);
	state_init(&t);
	for (i = 0; i < VALUES; i += 8) {
		batch_init(&b, x, i, 8, AVERAGING_EXPONENTIAL, (unsigned)_i);
		b.u.momentum = 0.3;
		ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
		for (f = 0; f < FEATURES; f++) {
			mean[f] = (1 - 0.3) * mean[f] + 0.3 * b.mean[f];
			var[f] = (1 - 0.3) * var[f] + 0.3 * (b.var[f] * (8.0 / (8.0 - _i)));
		}
		ck_assert_mem_eq(t.mean, mean, sizeof(mean));
		ck_assert_mem_eq(t.var, var, sizeof(var));
	}
}
END_TEST

START_TEST(exponential_with_momentum_0_and_1)
{
	static double x[VALUES * FEATURES];
	struct state t, before;
	struct batch b;

	values_init(x, 3, 1e5, 1);
	state_init(&t);
	batch_init(&b, x, 0, 100, AVERAGING_EXPONENTIAL, 0);
	b.u.momentum = 1;
	ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
	ck_assert_mem_eq(t.mean, b.mean, sizeof(b.mean));
	ck_assert_mem_eq(t.var, b.var, sizeof(b.var));

	before = t;
	batch_init(&b, x, 100, 100, AVERAGING_EXPONENTIAL, 1);
	b.u.momentum = 0;
	ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
	before.s.num_batches_tracked++;
	state_check_equal(&t, &before);
}
END_TEST

/* Batches of different sizes count alike. */
START_TEST(cumulative_is_the_mean_of_the_moments)
{
	static double x[VALUES * FEATURES];
	WIDE mean[FEATURES] = { 0 }, var[FEATURES] = { 0 };
	struct state t;
	struct batch b;
	uint64_t seed = 4;
	size_t i, n, f, k = 0;

	values_init(x, 4, 10, 3);
	state_init(&t);
	for (i = 0; i + 2 <= VALUES; i += n, k++) {
		n = 2 + random_next(&seed) % 9;
		if (n > VALUES - i)
			n = VALUES - i;
		batch_init(&b, x, i, n, AVERAGING_CUMULATIVE, (unsigned)_i);
		ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
		for (f = 0; f < FEATURES; f++) {
			mean[f] += b.mean[f];
			var[f] += (WIDE)b.var[f] * n / (n - (size_t)_i);
		}
	}
	ck_assert_uint_eq(t.s.num_batches_tracked, k);
	for (f = 0; f < FEATURES; f++) {
		check_close(t.mean[f], (double)(mean[f] / k), 40, 1e-14);
		check_close(t.var[f], (double)(var[f] / k), t.var[f], 1e-13);
	}
}
END_TEST

START_TEST(first_batch_is_taken_as_it_is)
{
	double mean[FEATURES] = { 1e-20, -3e200, 0.1 }, var[FEATURES] = { 1e-40, 0, 0.3 };
	struct update u = { averagings[_i], 1, 0, 7, FEATURES, mean, var, 1 };
	struct state t;
	size_t f;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_mem_eq(t.mean, mean, sizeof(mean));
	ck_assert_mem_eq(t.var, var, sizeof(var));

	state_init(&t);
	u.ddof = 1;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	for (f = 0; f < FEATURES; f++) {
		ck_assert(t.mean[f] == mean[f]);
		check_close(t.var[f], var[f] * 7 / 6, t.var[f], 2 * DBL_EPSILON);
	}
}
END_TEST

/* Cut at random places, in random order. */
static void
pool_shuffled(struct state *t, const double *x, unsigned ddof, uint64_t seed)
{
	size_t start[VALUES], count[VALUES];
	size_t i, j, n, cuts = 0;
	struct batch b;

	for (i = 0; i < VALUES; i += n, cuts++) {
		n = 1 + random_next(&seed) % 12;
		if (n > VALUES - i)
			n = VALUES - i;
		start[cuts] = i;
		count[cuts] = n;
	}
	state_init(t);
	for (i = 0; i < cuts; i++) {
		j = i + random_next(&seed) % (cuts - i);
		batch_init(&b, x, start[j], count[j], AVERAGING_POOLED, ddof);
		start[j] = start[i];
		count[j] = count[i];
		ck_assert_int_eq(state_apply(t, &b.u), UPDATE_APPLIED);
	}
	ck_assert_uint_eq(t->s.num_batches_tracked, cuts);
}

START_TEST(pooled_is_all_values_together)
{
	static const double means[] = { 0, 5, 1e5 };
	static double x[VALUES * FEATURES];
	WIDE mean, var;
	struct state t;
	uint64_t seed;
	size_t f;

	for (seed = 0; seed < 60; seed++) {
		values_init(x, seed, means[seed % 3], 1);
		pool_shuffled(&t, x, (unsigned)_i, seed);
		ck_assert_uint_eq(t.s.count, VALUES);
		for (f = 0; f < FEATURES; f++) {
			reference_moments(NORM_DOUBLE, x, (struct norm_view){ VALUES, FEATURES, 1 }, f, &mean, &var);
			var = var * VALUES / (VALUES - (size_t)_i);
			check_close(t.mean[f], (double)mean, fmax(fabs((double)mean), 1), 1e-12);
			/* A mean of 3e5 is stored to 3e-11, which the merge's delta inherits. */
			check_close(t.var[f], (double)var, (double)var, seed % 3 == 2 ? 1e-11 : 1e-12);
		}
	}
}
END_TEST

START_TEST(pooled_one_value_at_a_time)
{
	static double x[VALUES * FEATURES];
	WIDE mean, var;
	struct state t;
	struct batch b;
	size_t i, f;

	values_init(x, 8, 2, 1);
	state_init(&t);
	for (i = 0; i < VALUES; i++) {
		batch_init(&b, x, i, 1, AVERAGING_POOLED, 1);
		ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
		for (f = 0; f < FEATURES; f++)
			ck_assert(i > 0 || t.var[f] == 0);
	}
	for (f = 0; f < FEATURES; f++) {
		reference_moments(NORM_DOUBLE, x, (struct norm_view){ VALUES, FEATURES, 1 }, f, &mean, &var);
		check_close(t.mean[f], (double)mean, 3, 1e-13);
		check_close(t.var[f], (double)(var * VALUES / (VALUES - 1)), t.var[f], 1e-12);
	}
}
END_TEST

START_TEST(pooled_constant_stays_exact)
{
	double mean[FEATURES] = { 0.1, -1e30, 3e38 }, var[FEATURES] = { 0, 0, 0 };
	struct update u = { AVERAGING_POOLED, 0, 1, 1, FEATURES, mean, var, 1 };
	struct state t;
	uint64_t i;

	state_init(&t);
	for (i = 1; i < 200; i++) {
		u.count = i;
		ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
		ck_assert_mem_eq(t.mean, mean, sizeof(mean));
		ck_assert_mem_eq(t.var, var, sizeof(var));
	}
}
END_TEST

/* The mean starts from the heavier side, whichever that is: the lighter one's size costs it no digits. */
START_TEST(pooled_starts_from_the_heavier_side)
{
	const uint64_t many = (uint64_t)1 << 40;
	const double expected = (double)(((WIDE)1e16 + (WIDE)1.5 * many) / (many + 1));
	double light[FEATURES] = { 1e16, 1e16, 1e16 }, heavy[FEATURES] = { 1.5, 1.5, 1.5 }, var[FEATURES] = { 0 };
	struct update one = { AVERAGING_POOLED, 0, 0, 1, FEATURES, light, var, 1 };
	struct update rest = { AVERAGING_POOLED, 0, 0, many, FEATURES, heavy, var, 1 };
	struct state t;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &one), UPDATE_APPLIED);
	ck_assert_int_eq(state_apply(&t, &rest), UPDATE_APPLIED);
	check_close(t.mean[0], expected, expected, 4 * DBL_EPSILON);
	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &rest), UPDATE_APPLIED);
	ck_assert_int_eq(state_apply(&t, &one), UPDATE_APPLIED);
	check_close(t.mean[0], expected, expected, 4 * DBL_EPSILON);
}
END_TEST

/* Above 2^53 a double no longer holds the count; the counter does, and the weights stay right. */
START_TEST(pooled_counts_beyond_double)
{
	const uint64_t huge = ((uint64_t)1 << 53) + 1;
	double mean[FEATURES] = { 2, 4, -6 }, var[FEATURES] = { 1, 2, 3 };
	struct update u = { AVERAGING_POOLED, 0, 1, huge, FEATURES, mean, var, 1 };
	struct state t;
	size_t f;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_uint_eq(t.s.count, huge);
	u.count = 2;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_uint_eq(t.s.count, huge + 2);
	for (f = 0; f < FEATURES; f++) {
		ck_assert(t.mean[f] == mean[f]);
		check_close(t.var[f], var[f], var[f], 4 * DBL_EPSILON);
	}
	/* As many again around 0: the mean halves, the variance gains (mean / 2)^2. */
	u.count = huge + 2;
	u.mean = (double[FEATURES]){ 0, 0, 0 };
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_uint_eq(t.s.count, 2 * huge + 4);
	for (f = 0; f < FEATURES; f++) {
		check_close(t.mean[f], mean[f] / 2, 1, 4 * DBL_EPSILON);
		check_close(t.var[f], var[f] + mean[f] * mean[f] / 4, t.var[f], 4 * DBL_EPSILON);
	}
}
END_TEST

/* The variance is combined by weights: no intermediate is larger than the result asks for. */
START_TEST(pooled_near_the_end_of_double)
{
	double mean[FEATURES] = { 0, 0, 0 }, var[FEATURES] = { 1e308, 1e308, 1e308 };
	struct update u = { AVERAGING_POOLED, 0, 0, 1000, FEATURES, mean, var, 1 };
	struct state t;
	size_t f;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	for (f = 0; f < FEATURES; f++)
		check_close(t.var[f], 1e308, 1e308, 4 * DBL_EPSILON);
}
END_TEST

/* Below UPDATE_MEAN_POWER and UPDATE_VAR_POWER nothing overflows; in place. */
START_TEST(pooled_below_its_powers_stays_finite)
{
	const double end = nextafter(ldexp(1, UPDATE_MEAN_POWER), 0), most = nextafter(ldexp(1, UPDATE_VAR_POWER), 0);
	double mean[FEATURES] = { end, 0, -end }, var[FEATURES] = { most, most, most };
	struct update u = { AVERAGING_POOLED, 0, 0, 1, FEATURES, mean, var, 1 };
	struct statistics in, out;
	struct state t;

	state_init(&t);
	for (size_t i = 0; i < 10000; i++) {
		in = out = t.s;
		u.count = (uint64_t)1 << i % 40;
		ck_assert_int_eq(update_apply(&in, &u, &out), UPDATE_APPLIED);
		t.s = out;
		mean[0] = -mean[0];
		mean[2] = -mean[2];
	}
	ck_assert_ptr_eq(t.s.mean, t.mean);
	ck_assert_double_lt(t.var[0], 2.1 * most);
	check_close(t.var[1], most, most, 1e-9);
}
END_TEST

START_TEST(counts_end_at_int64_max)
{
	double mean[FEATURES] = { 0 }, var[FEATURES] = { 0 };
	struct update u = { averagings[_i], 0.1, 0, 2, FEATURES, mean, var, 1 };
	struct state t, before;

	state_init(&t);
	t.s.num_batches_tracked = STATISTICS_COUNT_MAX - 1;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_uint_eq(t.s.num_batches_tracked, STATISTICS_COUNT_MAX);
	before = t;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_COUNT_OVERFLOWS);
	state_check_equal(&t, &before);
}
END_TEST

START_TEST(pooled_count_ends_at_int64_max)
{
	static const uint64_t refused[] = { 3, STATISTICS_COUNT_MAX, STATISTICS_COUNT_MAX + 1, UINT64_MAX - 1,
		UINT64_MAX };
	double mean[FEATURES] = { 0 }, var[FEATURES] = { 0 };
	struct update u = { AVERAGING_POOLED, 0, 0, 2, FEATURES, mean, var, 1 };
	struct state t;
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		state_init(&t);
		t.s.count = STATISTICS_COUNT_MAX - 2;
		u.count = refused[i];
		ck_assert_int_eq(state_apply(&t, &u), UPDATE_COUNT_OVERFLOWS);
	}
	u.count = 2;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	ck_assert_uint_eq(t.s.count, STATISTICS_COUNT_MAX);
}
END_TEST

START_TEST(other_features_are_refused)
{
	double mean[FEATURES + 1] = { 0 }, var[FEATURES + 1] = { 0 };
	struct update u = { averagings[_i], 0.1, 0, 2, FEATURES + 1, mean, var, 1 };
	struct state t;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_FEATURES_DIFFER);
	u.features = FEATURES - 1;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_FEATURES_DIFFER);
}
END_TEST

/* NaN or infinity in any one place, or a variance that the unbiased divisor pushes over the end. */
START_TEST(not_finite_is_refused)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	double mean[FEATURES] = { 1, 2, 3 }, var[FEATURES] = { 1, 2, 3 };
	struct update u = { averagings[_i], 1, 1, 2, FEATURES, mean, var, 1 };
	struct state t, before;
	size_t i, f;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	before = t;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (f = 0; f < FEATURES; f++) {
			mean[f] = bad[i];
			ck_assert_int_eq(state_apply(&t, &u), UPDATE_NOT_FINITE);
			mean[f] = 1;
			var[f] = bad[i];
			ck_assert_int_eq(state_apply(&t, &u), UPDATE_NOT_FINITE);
			var[f] = 1;
		}
	state_check_equal(&t, &before);
	var[2] = DBL_MAX;
	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_NOT_FINITE);
}
END_TEST

START_TEST(pooled_overflow_is_refused)
{
	double mean[FEATURES] = { 0, 1e200, 0 }, var[FEATURES] = { 0 };
	struct update u = { AVERAGING_POOLED, 0, 0, 2, FEATURES, mean, var, 1 };
	struct state t;

	state_init(&t);
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_APPLIED);
	mean[1] = -1e200;
	ck_assert_int_eq(state_apply(&t, &u), UPDATE_NOT_FINITE);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("update");
	TCase *t = tcase_create("update");

	tcase_add_loop_test(t, deterministic, 0, AVERAGINGS);
	tcase_add_loop_test(t, exponential_is_its_formula, 0, 2);
	tcase_add_test(t, exponential_with_momentum_0_and_1);
	tcase_add_loop_test(t, cumulative_is_the_mean_of_the_moments, 0, 2);
	tcase_add_loop_test(t, first_batch_is_taken_as_it_is, 0, AVERAGINGS);
	tcase_add_loop_test(t, pooled_is_all_values_together, 0, 2);
	tcase_add_test(t, pooled_one_value_at_a_time);
	tcase_add_test(t, pooled_constant_stays_exact);
	tcase_add_test(t, pooled_starts_from_the_heavier_side);
	tcase_add_test(t, pooled_counts_beyond_double);
	tcase_add_test(t, pooled_near_the_end_of_double);
	tcase_add_test(t, pooled_below_its_powers_stays_finite);
	tcase_add_loop_test(t, counts_end_at_int64_max, 0, AVERAGINGS);
	tcase_add_test(t, pooled_count_ends_at_int64_max);
	tcase_add_loop_test(t, other_features_are_refused, 0, AVERAGINGS);
	tcase_add_loop_test(t, not_finite_is_refused, 0, AVERAGINGS);
	tcase_add_test(t, pooled_overflow_is_refused);
	suite_add_tcase(s, t);
	return s;
}
