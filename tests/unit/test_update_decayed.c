/* SPDX-License-Identifier: MIT */
/*
 * The laws of decayed averaging (norm/update.h): it is pooled averaging where everything is kept; what older values
 * weigh does not depend on how later ones are batched; and it gives the moments of values that are weighed one by one.
 */
#include "norm/update.h"

#include <float.h>

#include "tests/unit/update_state.h"

/* How many of the values from `first` on the next batch takes: 1 to 12 of them. */
static size_t
next_cut(uint64_t *seed, size_t first)
{
	const size_t n = 1 + random_next(seed) % 12;

	return n < VALUES - first ? n : VALUES - first;
}

static void
decay(struct batch *b, double half_life)
{
	b->u.averaging = AVERAGING_DECAYED;
	b->u.keep = update_keep(b->u.count, half_life);
}

/* One batch of `count` values per feature with these moments. */
static void
apply_moments(struct state *t, uint64_t count, double mean, double var, unsigned ddof, double keep)
{
	const double means[FEATURES] = { mean, mean, mean }, vars[FEATURES] = { var, var, var };
	const struct update u = { AVERAGING_DECAYED, 0, ddof, count, FEATURES, means, vars, keep };

	ck_assert_int_eq(state_apply(t, &u), UPDATE_APPLIED);
}

START_TEST(what_is_kept_is_a_power_of_two)
{
	uint64_t seed = 9;
	long double exact;
	double kept, ulp;

	for (unsigned i = 0; i < 200000; i++) {
		const double half_life = ldexp(1 + random_unit(&seed), (int)(random_next(&seed) % 40) - 10);
		const uint64_t n = 1 + random_next(&seed) % ((uint64_t)1 << (random_next(&seed) % 30));

		kept = update_keep(n, half_life);
		exact = exp2l(-(long double)((double)n / half_life));
		ulp = exact > 0x1p-1022L ? ldexp(DBL_EPSILON, ilogb((double)exact)) : 0x1p-1074;
		ck_assert_msg(fabsl(kept - exact) <= 2 * ulp, "%.17g is not %.20Lg", kept, exact);
		ck_assert(kept >= 0 && kept <= 1);
	}
	for (unsigned k = 0; k <= 1074; k++)
		ck_assert(update_keep(3 * k, 3) == ldexp(1, -(int)k));
	/* The bits of any machine. */
	ck_assert(update_keep(1, 3) == 0x1.965fea53d6e3dp-1);
	ck_assert(update_keep(5, 3) == 0x1.428a2f98d728ap-2);
	ck_assert(update_keep(9, 1000) == 0x1.fcd0e01e6830cp-1);
	ck_assert(update_keep(1076, 1) == 0 && update_keep(1, 1e-30) == 0 && update_keep(UINT64_MAX, 5e-324) == 0);
	ck_assert(update_keep(UINT64_MAX, 1e38) == 1 && update_keep(1, 0x1p54) == 1);
}
END_TEST

START_TEST(keeping_everything_is_pooled)
{
	static double x[VALUES * FEATURES];
	struct state decayed, pooled;
	struct batch b;
	uint64_t seed;
	size_t i, n;

	for (seed = 0; seed < 60; seed++) {
		uint64_t cuts = seed;

		values_init(x, seed, seed % 2 ? 1e5 : 3, 2);
		state_init(&decayed);
		state_init(&pooled);
		for (i = 0; i < VALUES; i += n) {
			n = next_cut(&cuts, i);
			batch_init(&b, x, i, n, AVERAGING_POOLED, (unsigned)_i);
			/* Some batches stand for many more values: as long as double holds the count, below 2^53. */
			b.u.count = n << (seed % 3 * 20);
			ck_assert_int_eq(state_apply(&pooled, &b.u), UPDATE_APPLIED);
			b.u.averaging = AVERAGING_DECAYED;
			ck_assert_int_eq(state_apply(&decayed, &b.u), UPDATE_APPLIED);
			ck_assert_mem_eq(decayed.mean, pooled.mean, sizeof(pooled.mean));
			ck_assert_mem_eq(decayed.var, pooled.var, sizeof(pooled.var));
			ck_assert(decayed.s.decayed_count == (double)pooled.s.count);
		}
	}
}
END_TEST

static const double half_lives[] = { 2, 3.7, 30, 500, 1e6, 1e30 };

#define HALF_LIVES (sizeof(half_lives) / sizeof(half_lives[0]))

/*
 * 100 older values of mean 1 and variance 4, later ones of mean 0 or 1 and variance 0: mean * count is what the older
 * ones weigh, and var * (count - ddof) is what is left of their M2. Each update rounds at most eight times, and the
 * exponents, which add up to VALUES / half_life, are rounded too: hence the bound.
 */
START_TEST(weights_do_not_depend_on_cuts)
{
	const double older = 100;
	const unsigned ddof = (unsigned)_i;

	for (uint64_t seed = 0; seed < 40 * HALF_LIVES; seed++) {
		const double half_life = half_lives[seed % HALF_LIVES];
		const double kept = (double)exp2l(-(long double)VALUES / (long double)half_life);
		struct state by_mean, by_variance;
		uint64_t cuts = seed;
		size_t i, n, updates = 0;
		double bound;

		state_init(&by_mean);
		state_init(&by_variance);
		apply_moments(&by_mean, (uint64_t)older, 1, 0, ddof, 0.5);
		apply_moments(&by_variance, (uint64_t)older, 1, 4, ddof, 0.5);
		for (i = 0; i < VALUES; i += n, updates++) {
			n = seed < HALF_LIVES ? VALUES : next_cut(&cuts, i);
			apply_moments(&by_mean, n, 0, 0, ddof, update_keep(n, half_life));
			apply_moments(&by_variance, n, 1, 0, ddof, update_keep(n, half_life));
		}
		bound = ((double)updates * 8 + VALUES / half_life + 8) * DBL_EPSILON / 2;
		check_close(by_mean.mean[0] * by_mean.s.decayed_count, older * kept, older * kept, bound);
		/* M2 began as 4 * older, whatever the divisor. */
		check_close(by_variance.var[0] * (by_variance.s.decayed_count - ddof), 4 * older * kept,
		    4 * older * kept, 4 * bound);
	}
}
END_TEST

/* Each value weighs 1 when it comes, and 2^(-n / half_life) of what it did with every later batch of n. */
static void
weigh(WIDE *weights, size_t first, size_t n, double half_life)
{
	for (size_t i = 0; i < first; i++)
		weights[i] *= exp2l(-(long double)n / (long double)half_life);
	for (size_t i = first; i < first + n; i++)
		weights[i] = 1;
}

/* The moments of the feature's first n weighed values, and the sum of their weights. */
static void
weighed_moments(const double *x, const WIDE *weights, size_t n, size_t f, WIDE *sum, WIDE *mean, WIDE *m2)
{
	*sum = *mean = *m2 = 0;
	for (size_t i = 0; i < n; i++) {
		*sum += weights[i];
		*mean += weights[i] * x[i * FEATURES + f];
	}
	*mean /= *sum;
	for (size_t i = 0; i < n; i++)
		*m2 += weights[i] * (x[i * FEATURES + f] - *mean) * (x[i * FEATURES + f] - *mean);
}

static void
check_weighed(const struct state *t, const double *x, const WIDE *weights, size_t n, unsigned ddof, double bound)
{
	WIDE sum, mean, m2;

	for (size_t f = 0; f < FEATURES; f++) {
		weighed_moments(x, weights, n, f, &sum, &mean, &m2);
		check_close(t->s.decayed_count, (double)sum, (double)sum, 1e-13);
		check_close(t->mean[f], (double)mean, fmax(fabs((double)mean), 1), 1e-12);
		if (n == 1)
			ck_assert(t->var[f] == 0);
		else
			check_close(t->var[f], (double)(m2 / (sum - ddof)), (double)(m2 / (sum - ddof)), bound);
	}
}

/* After every batch, whatever its size, one value alone too. */
START_TEST(each_value_is_weighed)
{
	static const double means[] = { 0, 5, 1e5 };
	static double x[VALUES * FEATURES];
	static WIDE weights[VALUES];

	for (uint64_t seed = 0; seed < 6 * HALF_LIVES; seed++) {
		const double half_life = half_lives[seed % HALF_LIVES];
		const size_t about = seed / HALF_LIVES % 3;
		uint64_t cuts = seed;
		struct state t;
		struct batch b;
		size_t i, n;

		values_init(x, seed, means[about], 1);
		state_init(&t);
		for (i = 0; i < VALUES; i += n) {
			n = next_cut(&cuts, i);
			batch_init(&b, x, i, n, AVERAGING_DECAYED, (unsigned)_i);
			decay(&b, half_life);
			ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
			weigh(weights, i, n, half_life);
			/* A mean of 3e5 is stored to 3e-11, which the merge's delta inherits. */
			check_weighed(&t, x, weights, i + n, (unsigned)_i, about == 2 ? 1e-9 : 1e-12);
		}
	}
}
END_TEST

/* Down to keeping nothing, and to what is less than the smallest normal number. */
START_TEST(a_short_half_life_leaves_the_last_batch)
{
	static const double keeps[] = { 0, 0x1p-1074, 1e-320, 0x1p-1022, 1e-300, 1e-100, 1e-40 };
	static double x[VALUES * FEATURES];
	struct state t, alone;
	struct batch b;

	values_init(x, 5, 7, 3);
	for (size_t k = 0; k < sizeof(keeps) / sizeof(keeps[0]); k++)
		for (size_t n = 1; n < 5; n++) {
			state_init(&t);
			apply_moments(&t, 1000, -1e40, 1e80, (unsigned)_i, 0.5);
			apply_moments(&t, 1, 1e60, 0, (unsigned)_i, 0);
			for (size_t i = 0; i + n <= 20; i += n) {
				batch_init(&b, x, i, n, AVERAGING_DECAYED, (unsigned)_i);
				b.u.keep = i == 0 ? 0 : keeps[k];
				ck_assert_int_eq(state_apply(&t, &b.u), UPDATE_APPLIED);
				ck_assert(t.s.decayed_count == (double)n);
			}
			state_init(&alone);
			b.u.keep = 0.5;
			ck_assert_int_eq(state_apply(&alone, &b.u), UPDATE_APPLIED);
			alone.s.num_batches_tracked = t.s.num_batches_tracked;
			for (size_t f = 0; f < FEATURES; f++)
				ck_assert(n > 1 || alone.var[f] == 0);
			if (n > 1 || _i == 1)
				state_check_equal(&t, &alone);
			else
				for (size_t f = 0; f < FEATURES; f++) {
					ck_assert(t.mean[f] == alone.mean[f]);
					ck_assert(t.var[f] <= 1e4 * keeps[k]);
				}
		}
}
END_TEST

START_TEST(a_constant_stays_exact)
{
	static const double keeps[] = { 1, 0.9, 0x1p-60, 1e-310, 0 };
	struct state t, first;

	for (size_t k = 0; k < sizeof(keeps) / sizeof(keeps[0]); k++) {
		state_init(&t);
		apply_moments(&t, 1, 0.1, 0, 1, keeps[k]);
		first = t;
		for (uint64_t n = 1; n < 100; n++) {
			apply_moments(&t, n, 0.1, 0, 1, keeps[k]);
			ck_assert_mem_eq(t.mean, first.mean, sizeof(t.mean));
			ck_assert_mem_eq(t.var, first.var, sizeof(t.var));
		}
	}
}
END_TEST

/* No intermediate overflows before the result does, however small a weight is. */
START_TEST(near_the_end_of_double)
{
	static const double keeps[] = { 1, 0.5, 1e-200, 1e-320 };
	struct state t;

	for (size_t k = 0; k < sizeof(keeps) / sizeof(keeps[0]); k++)
		for (unsigned ddof = 0; ddof < 2; ddof++) {
			state_init(&t);
			apply_moments(&t, 1000, 1e150, 1e307, ddof, keeps[k]);
			apply_moments(&t, 1000, -1e150, 1e307, ddof, keeps[k]);
			apply_moments(&t, 1000, 1e150, 1e307, ddof, keeps[k]);
			check_close(t.var[0], ddof ? 1e307 / 999 * 1000 : 1e307, 1e307, 1e-3);
			apply_moments(&t, 1, 1e150, 0, ddof, keeps[k]);
		}
}
END_TEST

/* What GET shows can be put back: a count never reaches 2^63. */
START_TEST(the_count_ends_below_2_63)
{
	const double most = 0x1p63 - 1024; /* the largest double below */
	static const struct {
		double count, keep;
		uint64_t n;
		bool applied;
	} cases[] = {
		{ 0x1p63 - 2048, 1, 1024, true },
		{ 0x1p63 - 1024, 1, 1024, false },
		{ 0x1p63 - 1024, 0.5, 1024, true },
		{ 0x1p62, 1, (uint64_t)1 << 62, false },
		{ 0x1p62, 0.5, (uint64_t)1 << 62, true },
		{ 0, 0, STATISTICS_COUNT_MAX - 1023, true },
		{ 0, 0, STATISTICS_COUNT_MAX, false }, /* as a double it is 2^63 */
		{ 0, 0, UINT64_MAX, false },
	};
	const double mean[FEATURES] = { 0 }, var[FEATURES] = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct update u = { AVERAGING_DECAYED, 0, 0, cases[i].n, FEATURES, mean, var, cases[i].keep };
		struct state t;

		state_init(&t);
		t.s.decayed_count = cases[i].count;
		ck_assert_int_eq(state_apply(&t, &u), cases[i].applied ? UPDATE_APPLIED : UPDATE_COUNT_OVERFLOWS);
		ck_assert(t.s.decayed_count <= most);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("update_decayed");
	TCase *t = tcase_create("update_decayed");

	tcase_add_test(t, what_is_kept_is_a_power_of_two);
	tcase_add_loop_test(t, keeping_everything_is_pooled, 0, 2);
	tcase_add_loop_test(t, weights_do_not_depend_on_cuts, 0, 2);
	tcase_add_loop_test(t, each_value_is_weighed, 0, 2);
	tcase_add_loop_test(t, a_short_half_life_leaves_the_last_batch, 0, 2);
	tcase_add_test(t, a_constant_stays_exact);
	tcase_add_test(t, near_the_end_of_double);
	tcase_add_test(t, the_count_ends_below_2_63);
	suite_add_tcase(s, t);
	return s;
}
