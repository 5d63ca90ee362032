/* SPDX-License-Identifier: MIT */
/* Distances between moments: formulas, laws, and numbers at the ends of double. */
#include "layer/distance.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct distance
distance(double mean_w, double var_w, double mean_t, double var_t)
{
	struct distance d;

	distance_measure(&(struct moments){ 5, &mean_w, &var_w }, &(struct moments){ 7, &mean_t, &var_t }, 1, &d);
	return d;
}

static const double means[] = { 0, 1e-9, -0.3, 2, -70, 1e5, 1e16 };
static const double vars[] = { 1e-12, 0.09, 1, 1.0000000001, 4, 1e4, 1e12 };
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Each pair of distributions from the lists. */
static void
each_pair(void (*check)(double mean_w, double var_w, double mean_t, double var_t))
{
	for (size_t i = 0; i < COUNT(means); i++)
		for (size_t j = 0; j < COUNT(vars); j++)
			for (size_t k = 0; k < COUNT(means); k++)
				for (size_t l = 0; l < COUNT(vars); l++)
					check(means[i], vars[j], means[k], vars[l]);
}

static void
check_near(double found, long double expected, double tolerance)
{
	ck_assert(fabsl(found - expected) <= tolerance * fabsl(expected));
}

/* Straight from equations 31, 32, 34 and 35, with more digits than double has. */
static void
check_formulas(double mean_w, double var_w, double mean_t, double var_t)
{
	const struct distance d = distance(mean_w, var_w, mean_t, var_t);
	const long double delta = (long double)mean_w - mean_t, sw = sqrtl(var_w), st = sqrtl(var_t);
	const long double r = (long double)var_w / var_t, gap = (long double)var_w - var_t, growth = gap / (sw + st);
	const long double divergence = (gap * gap / var_w / var_t + delta * delta / var_t * (1 + 1 / r)) / 2;
	const long double wasserstein = sqrtl(delta * delta + growth * growth) / st;

	check_near(d.scores[DISTANCE_MEAN_SHIFT], delta / st, 1e-15);
	check_near(d.scores[DISTANCE_VARIANCE_RATIO], r, 1e-15);
	check_near(d.scores[DISTANCE_DIVERGENCE], divergence, 1e-14);
	check_near(d.scores[DISTANCE_WASSERSTEIN], wasserstein, 1e-14);
}

START_TEST(formulas)
{
	each_pair(check_formulas);
}
END_TEST

/* Two of the scores do not tell which distribution is the reference. All are 0, or 1, for equal ones and only those. */
static void
check_symmetry(double mean_w, double var_w, double mean_t, double var_t)
{
	const struct distance d = distance(mean_w, var_w, mean_t, var_t), back = distance(mean_t, var_t, mean_w, var_w);
	const bool equal = mean_w == mean_t && var_w == var_t;

	ck_assert(d.scores[DISTANCE_JS] == back.scores[DISTANCE_JS]);
	ck_assert(d.scores[DISTANCE_DIVERGENCE] == back.scores[DISTANCE_DIVERGENCE]);
	ck_assert((d.scores[DISTANCE_MEAN_SHIFT] == 0) == (mean_w == mean_t));
	ck_assert((d.scores[DISTANCE_VARIANCE_RATIO] == 1) == (var_w == var_t));
	ck_assert((d.scores[DISTANCE_JS] == 0) == equal && (d.scores[DISTANCE_DIVERGENCE] == 0) == equal);
	ck_assert((d.scores[DISTANCE_WASSERSTEIN] == 0) == equal);
}

START_TEST(symmetry)
{
	each_pair(check_symmetry);
}
END_TEST

/* Another unit of measurement changes nothing: powers of two, so that there is no rounding. */
static void
check_units(double mean_w, double var_w, double mean_t, double var_t)
{
	const struct distance d = distance(mean_w, var_w, mean_t, var_t);
	const struct distance scaled = distance(-8 * mean_w, 64 * var_w, -8 * mean_t, 64 * var_t);

	ck_assert(scaled.scores[DISTANCE_MEAN_SHIFT] == -d.scores[DISTANCE_MEAN_SHIFT]);
	ck_assert_mem_eq(&scaled.scores[1], &d.scores[1], sizeof(d) - sizeof(d.scores[0]));
}

START_TEST(units_do_not_matter)
{
	each_pair(check_units);
}
END_TEST

/* The Jensen-Shannon distance is a metric: no detour is shorter. */
START_TEST(no_detour_is_shorter)
{
	for (size_t i = 0; i < COUNT(means) * COUNT(vars); i++)
		for (size_t j = 0; j < COUNT(means) * COUNT(vars); j++) {
			const double m1 = means[i / COUNT(vars)], v1 = vars[i % COUNT(vars)];
			const double m2 = means[j / COUNT(vars)], v2 = vars[j % COUNT(vars)];

			ck_assert(
			    distance(m1, v1, m2, v2).scores[DISTANCE_JS] <= distance(m1, v1, 1, 2).scores[DISTANCE_JS] +
				distance(1, 2, m2, v2).scores[DISTANCE_JS] + 1e-10);
		}
}
END_TEST

/* Numbers at the ends of double: a score is a number, and one beyond doubles the largest. */
START_TEST(ends_of_double)
{
	static const double far[] = { 0, -DBL_MAX, DBL_MAX, DBL_TRUE_MIN, 1e154 };
	static const double wide[] = { DBL_TRUE_MIN, DBL_MIN, 1, 1e300, DBL_MAX };

	for (size_t i = 0; i < COUNT(far) * COUNT(wide); i++)
		for (size_t j = 0; j < COUNT(far) * COUNT(wide); j++) {
			const struct distance d = distance(
			    far[i / COUNT(wide)], wide[i % COUNT(wide)], far[j / COUNT(wide)], wide[j % COUNT(wide)]);

			for (size_t s = 0; s < DISTANCE_SCORES; s++)
				ck_assert(isfinite(d.scores[s]));
			ck_assert(d.scores[DISTANCE_JS] >= 0 && d.scores[DISTANCE_JS] <= 1);
		}
	ck_assert(distance(1, 1, -1e300, DBL_MIN).scores[DISTANCE_MEAN_SHIFT] == DBL_MAX);
	ck_assert(distance(-DBL_MAX, 1e308, DBL_MAX, 1e308).scores[DISTANCE_MEAN_SHIFT] < -1e154);
	ck_assert(distance(0, 1, 1, DBL_MIN).scores[DISTANCE_DIVERGENCE] == 1 / DBL_MIN);
}
END_TEST

/* Of three features the first has both deviations, the second only that of the reference, the third only the other. */
START_TEST(without_deviations)
{
	const double mean_w[] = { 1, 5, 3 }, var_w[] = { 1, 0, 3 }, mean_t[] = { 1, 1, 1 }, var_t[] = { 1, 4, 0 };
	const struct moments w = { 2, mean_w, var_w }, t = { 2, mean_t, var_t }, empty = { 0 };
	struct distance list[3];

	distance_measure(&w, &t, 3, list);
	for (size_t s = 0; s < DISTANCE_SCORES; s++)
		ck_assert(!isnan(list[0].scores[s]) && isnan(list[2].scores[s]));
	ck_assert(list[1].scores[DISTANCE_MEAN_SHIFT] == 2);
	ck_assert(list[1].scores[DISTANCE_VARIANCE_RATIO] == 0);
	ck_assert(list[1].scores[DISTANCE_JS] == 1);
	ck_assert(isnan(list[1].scores[DISTANCE_DIVERGENCE]));
	check_near(list[1].scores[DISTANCE_WASSERSTEIN], sqrtl(5), 1e-15);
	distance_measure(&empty, &t, 3, list);
	ck_assert(isnan(list[0].scores[DISTANCE_JS]));
	distance_measure(&t, &empty, 3, list);
	ck_assert(isnan(list[0].scores[DISTANCE_JS]));
}
END_TEST

/* A list of distances whose scores are all the same number; NAN: a feature without scores. */
static void
summarize(const double *values, size_t n, struct distance *max, struct distance *median)
{
	struct distance list[8];
	double room[8];

	for (size_t f = 0; f < n; f++)
		for (size_t s = 0; s < DISTANCE_SCORES; s++)
			list[f].scores[s] = values[f];
	distance_summarize(list, n, room, max, median);
}

START_TEST(the_farthest_and_the_median)
{
	const double values[] = { 0.5, NAN, -3, 0.1, 2, NAN, 9.5 };
	struct distance max, median;

	summarize(values, 5, &max, &median);
	ck_assert(max.scores[DISTANCE_MEAN_SHIFT] == -3);
	ck_assert(median.scores[DISTANCE_MEAN_SHIFT] == 0.3);
	summarize(values + 3, 4, &max, &median);
	ck_assert(max.scores[DISTANCE_VARIANCE_RATIO] == 0.1);
	ck_assert(max.scores[DISTANCE_WASSERSTEIN] == 9.5);
	ck_assert(median.scores[DISTANCE_VARIANCE_RATIO] == 2);
	summarize(values + 3, 1, &max, &median);
	ck_assert(max.scores[DISTANCE_JS] == 0.1 && median.scores[DISTANCE_JS] == 0.1);
	summarize(values + 1, 1, &max, &median);
	ck_assert(isnan(max.scores[DISTANCE_JS]) && isnan(median.scores[DISTANCE_JS]));
	summarize(values, 0, &max, &median);
	ck_assert(isnan(max.scores[DISTANCE_JS]) && isnan(median.scores[DISTANCE_JS]));
}
END_TEST

static int
compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Of every number of features, in any order, with many that are equal. The order of all tells it a second time. */
START_TEST(medians_of_many)
{
	struct distance list[70], max, median;
	double room[70], sorted[70];

	srand48(_i);
	for (size_t n = 1; n <= 70; n++) {
		for (size_t f = 0; f < n; f++) {
			sorted[f] = _i % 2 == 0 ? drand48() - 0.5 : (double)(lrand48() % 7);
			list[f] = (struct distance){ { sorted[f], sorted[f], sorted[f], sorted[f], sorted[f] } };
		}
		qsort(sorted, n, sizeof(*sorted), compare);
		distance_summarize(list, n, room, &max, &median);
		for (size_t s = 0; s < DISTANCE_SCORES; s++)
			ck_assert(median.scores[s] == sorted[(n - 1) / 2] / 2 + sorted[n / 2] / 2);
	}
}
END_TEST

START_TEST(as_json)
{
	const struct distance d = { { -0.5, 4, NAN, 1e300, 0 } };
	const char *expected = "\"mean_shift\":-0.5,\"variance_ratio\":4,\"js_distance\":null,"
			       "\"divergence\":1e300,\"wasserstein\":0";
	struct buf b;

	buf_init(&b, 1000);
	distance_format(&b, &d);
	buf_byte(&b, '\0');
	ck_assert(!b.failed);
	ck_assert_str_eq(b.bytes, expected);
	buf_fini(&b);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("distance");
	TCase *t = tcase_create("distance");

	tcase_add_test(t, formulas);
	tcase_add_test(t, symmetry);
	tcase_add_test(t, units_do_not_matter);
	tcase_add_test(t, no_detour_is_shorter);
	tcase_add_test(t, ends_of_double);
	tcase_add_test(t, without_deviations);
	tcase_add_test(t, the_farthest_and_the_median);
	tcase_add_loop_test(t, medians_of_many, 0, 4);
	tcase_add_test(t, as_json);
	suite_add_tcase(s, t);
	return s;
}
