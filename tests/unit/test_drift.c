/* SPDX-License-Identifier: MIT */
/* Verdicts over moments: of each feature, of the layer; which features are the worst; and the scores over all. */
#include "layer/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define FEATURES ((size_t)9001)

static const struct drift_options usual = { .possible = 0.1, .drift = 0.25, .min_count = 100, .top = 10 };

/* Moments of a window and a reference, and what they come to. */
struct fixture {
	struct budget budget;
	struct workspace ws;
	double mean_w[FEATURES], var_w[FEATURES], mean_t[FEATURES], var_t[FEATURES];
	uint64_t counts[FEATURES];
	struct drift_data data;
	struct drift drift;
	struct err e;
};

/* Features without any drift: mean 0, variance 1. */
static struct fixture *
fixture_new(size_t features)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	budget_init(&f->budget, (size_t)1 << 20);
	workspace_init(&f->ws, &f->budget, (size_t)1 << 20);
	for (size_t i = 0; i < features; i++) {
		f->var_w[i] = f->var_t[i] = 1;
		f->counts[i] = 1000;
	}
	f->data = (struct drift_data){
		.features = features, .window = { 1000, f->mean_w, f->var_w }, .reference = { 1, f->mean_t, f->var_t }
	};
	return f;
}

static void
fixture_free(struct fixture *f)
{
	workspace_fini(&f->ws);
	ck_assert_uint_eq(atomic_load(&f->budget.bytes), 0);
	free(f);
}

static const struct drift *
compare(struct fixture *f, const struct drift_options *o)
{
	ck_assert_int_eq(drift_compare(&f->ws, &f->data, o, &f->drift, &f->e), 0);
	return &f->drift;
}

/* Of equal variances, a mean shift d has the divergence d^2. */
START_TEST(verdicts_begin_at_their_thresholds)
{
	const struct drift_options o = { .possible = 0.25, .drift = 4, .min_count = 1000, .top = 1 };
	static const struct {
		double shift;
		enum drift_verdict verdict;
	} cases[] = { { 0, DRIFT_NONE }, { 0.4999, DRIFT_NONE }, { -0.5, DRIFT_POSSIBLE }, { 1.9999, DRIFT_POSSIBLE },
		{ 2, DRIFT_FOUND }, { 1e200, DRIFT_FOUND } };
	struct fixture *f = fixture_new(1);

	for (size_t i = 0; i < COUNT(cases); i++) {
		f->mean_w[0] = cases[i].shift;
		ck_assert_int_eq(compare(f, &o)->verdict, cases[i].verdict);
		ck_assert_uint_eq(f->drift.worst_count, 1);
		ck_assert_int_eq(f->drift.worst[0].verdict, cases[i].verdict);
	}
	fixture_free(f);
}
END_TEST

START_TEST(too_few_values_have_no_verdict)
{
	struct fixture *f = fixture_new(2);

	f->mean_w[1] = 5;
	f->data.window.count = 99;
	ck_assert_int_eq(compare(f, &usual)->verdict, DRIFT_TOO_FEW);
	ck_assert_uint_eq(f->drift.worst_count, 2);
	ck_assert_uint_eq(f->drift.worst[0].index, 1);
	ck_assert_int_eq(f->drift.worst[0].verdict, DRIFT_TOO_FEW);
	ck_assert(f->drift.worst[0].scores.scores[DISTANCE_MEAN_SHIFT] == 5);
	ck_assert(f->drift.max.scores[DISTANCE_MEAN_SHIFT] == 5);
	f->data.window.count = 100;
	ck_assert_int_eq(compare(f, &usual)->verdict, DRIFT_FOUND);
	f->data.window = (struct moments){ 0 };
	ck_assert_int_eq(compare(f, &usual)->verdict, DRIFT_TOO_FEW);
	ck_assert_uint_eq(f->drift.worst_count, 0);
	for (size_t s = 0; s < DISTANCE_SCORES; s++)
		ck_assert(isnan(f->drift.max.scores[s]) && isnan(f->drift.median.scores[s]));
	f->data.features = 0;
	ck_assert_int_eq(compare(f, &usual)->verdict, DRIFT_TOO_FEW);
	fixture_free(f);
}
END_TEST

/* Features with values of their own number: some have enough, one has none. */
START_TEST(each_feature_has_its_own_count)
{
	struct fixture *f = fixture_new(4);

	f->data.counts = f->counts;
	f->counts[0] = 0;
	f->counts[1] = 99;
	f->mean_w[0] = f->mean_w[1] = 7;
	f->mean_w[2] = 0.4;
	ck_assert_int_eq(compare(f, &usual)->verdict, DRIFT_POSSIBLE);
	ck_assert_uint_eq(f->drift.worst_count, 4);
	ck_assert_uint_eq(f->drift.worst[0].index, 2);
	ck_assert_uint_eq(f->drift.worst[1].index, 3);
	ck_assert_uint_eq(f->drift.worst[2].index, 1);
	ck_assert_int_eq(f->drift.worst[2].verdict, DRIFT_TOO_FEW);
	ck_assert_uint_eq(f->drift.worst[3].index, 0);
	ck_assert(isnan(f->drift.worst[3].scores.scores[DISTANCE_JS]));
	ck_assert(f->drift.max.scores[DISTANCE_MEAN_SHIFT] == 0.4);
	ck_assert(f->drift.median.scores[DISTANCE_MEAN_SHIFT] == 0.2);
	fixture_free(f);
}
END_TEST

/* What a feature may be: as it was, far away, without deviation. The index says which. */
enum feature { SAME, FAR, NEARER, STILL, STUCK, LOOSE, MOVED };

static void
become(struct fixture *f, size_t i, enum feature kind)
{
	f->mean_t[i] = f->mean_w[i] = 3;
	f->var_t[i] = kind == STILL || kind == LOOSE || kind == MOVED ? 0 : 1;
	f->var_w[i] = kind == STILL || kind == STUCK || kind == MOVED ? 0 : 1;
	if (kind == FAR || kind == MOVED)
		f->mean_w[i] = 4;
	if (kind == NEARER)
		f->mean_w[i] = 3.4;
}

START_TEST(verdicts_of_layers)
{
	static const struct {
		enum feature features[3];
		enum drift_verdict verdict;
	} cases[] = { { { SAME, SAME, SAME }, DRIFT_NONE }, { { SAME, NEARER, SAME }, DRIFT_POSSIBLE },
		{ { FAR, NEARER, SAME }, DRIFT_FOUND }, { { STUCK, NEARER, FAR }, DRIFT_FOUND },
		{ { NEARER, MOVED, STILL }, DRIFT_POSSIBLE }, { { STILL, SAME, STILL }, DRIFT_NONE },
		{ { STILL, STILL, STILL }, DRIFT_CONSTANT }, { { SAME, STUCK, SAME }, DRIFT_CONSTANT },
		{ { SAME, SAME, LOOSE }, DRIFT_CONSTANT }, { { SAME, MOVED, SAME }, DRIFT_CONSTANT } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture *f = fixture_new(3);

		for (size_t k = 0; k < 3; k++)
			become(f, k, cases[i].features[k]);
		ck_assert_int_eq(compare(f, &usual)->verdict, cases[i].verdict);
		fixture_free(f);
	}
}
END_TEST

/* Constant features that are not as they were, then by divergence, then constant ones that are; alike ones in order. */
START_TEST(the_worst_come_first)
{
	static const enum feature features[] = { STILL, SAME, FAR, MOVED, NEARER, STUCK, FAR, STILL, LOOSE };
	static const size_t order[] = { 3, 5, 8, 2, 6, 4, 1, 0, 7 };
	struct fixture *f = fixture_new(COUNT(features));

	for (size_t i = 0; i < COUNT(features); i++)
		become(f, i, features[i]);
	(void)compare(f, &usual);
	ck_assert_uint_eq(f->drift.worst_count, COUNT(order));
	for (size_t i = 0; i < COUNT(order); i++) {
		ck_assert_uint_eq(f->drift.worst[i].index, order[i]);
		ck_assert((f->drift.worst[i].verdict == DRIFT_CONSTANT) == (i < 3 || i > 6));
	}
	fixture_free(f);
}
END_TEST

/* Means at random, with few different values, so that many are alike; sometimes in order. */
static struct fixture *
random_fixture(int way)
{
	struct fixture *f = fixture_new(FEATURES);
	uint64_t seed = (uint64_t)way;

	for (size_t i = 0; i < FEATURES; i++) {
		f->mean_w[i] = way == 0 ? (double)i : way == 1 ? -(double)i : (double)(random_next(&seed) % 5000) / 100;
		f->var_w[i] = 1 + (double)(random_next(&seed) % 3);
	}
	return f;
}

static const struct distance *ranked;

static int
compare_ranks(const void *left, const void *right)
{
	const size_t a = *(const size_t *)left, b = *(const size_t *)right;
	const double x = ranked[a].scores[DISTANCE_DIVERGENCE], y = ranked[b].scores[DISTANCE_DIVERGENCE];

	return x != y ? (x < y) - (x > y) : (a > b) - (a < b);
}

/* The same as sorting all, and summarizing all. */
START_TEST(many_features)
{
	static const uint64_t tops[] = { 0, 1, 2, 7, 1000 };
	struct fixture *f = random_fixture(_i);
	struct distance *all = calloc(FEATURES, sizeof(*all)), max, median;
	double *room = calloc(FEATURES, sizeof(*room));
	size_t *order = calloc(FEATURES, sizeof(*order));

	ck_assert(all != NULL && room != NULL && order != NULL);
	distance_measure(&f->data.window, &f->data.reference, FEATURES, all);
	distance_summarize(all, FEATURES, room, &max, &median);
	for (size_t i = 0; i < FEATURES; i++)
		order[i] = i;
	ranked = all;
	qsort(order, FEATURES, sizeof(*order), compare_ranks);
	for (size_t k = 0; k < COUNT(tops); k++) {
		struct drift_options o = usual;

		o.top = tops[k];
		(void)compare(f, &o);
		ck_assert_uint_eq(f->drift.worst_count, tops[k]);
		for (size_t i = 0; i < tops[k]; i++) {
			ck_assert_uint_eq(f->drift.worst[i].index, order[i]);
			ck_assert_mem_eq(&f->drift.worst[i].scores, &all[order[i]], sizeof(*all));
		}
		ck_assert_mem_eq(&f->drift.max, &max, sizeof(max));
		ck_assert_mem_eq(&f->drift.median, &median, sizeof(median));
	}
	free(all);
	free(room);
	free(order);
	fixture_free(f);
}
END_TEST

/* A crew that is the caller, who begins with the last part, and counts. */
struct backwards {
	struct crew crew;
	size_t parts;
};

static void
run_backwards(struct crew *crew, struct crew_work *work)
{
	((struct backwards *)crew)->parts += work->count;
	for (size_t i = work->count; i-- > 0;)
		work->part(work->arg, i);
}

START_TEST(idle_threads_help_with_many_features)
{
	struct backwards b = { .crew = { .threads = 3, .run = run_backwards } };
	struct fixture *f = random_fixture(5);
	struct distance max, median;

	max = compare(f, &usual)->max;
	median = f->drift.median;
	f->ws.crew = &b.crew;
	(void)compare(f, &usual);
	ck_assert_mem_eq(&f->drift.max, &max, sizeof(max));
	ck_assert_mem_eq(&f->drift.median, &median, sizeof(median));
	ck_assert_uint_eq(b.parts, 3);
	f->data.features = 4096;
	(void)compare(f, &usual);
	ck_assert_uint_eq(b.parts, 3);
	fixture_free(f);
}
END_TEST

START_TEST(memory_that_is_not_there)
{
	struct fixture *f = random_fixture(6);

	budget_init(&f->budget, FEATURES * sizeof(double) - 1);
	ck_assert_int_eq(drift_compare(&f->ws, &f->data, &usual, &f->drift, &f->e), -1);
	ck_assert_int_eq(f->e.code, ERR_BODY_TOO_LARGE);
	fixture_free(f);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(drift_verdict_name(DRIFT_NONE), "none");
	ck_assert_str_eq(drift_verdict_name(DRIFT_POSSIBLE), "possible");
	ck_assert_str_eq(drift_verdict_name(DRIFT_FOUND), "drift");
	ck_assert_str_eq(drift_verdict_name(DRIFT_TOO_FEW), "too_few");
	ck_assert_str_eq(drift_verdict_name(DRIFT_CONSTANT), "constant");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("drift");
	TCase *t = tcase_create("drift");

	tcase_add_test(t, verdicts_begin_at_their_thresholds);
	tcase_add_test(t, too_few_values_have_no_verdict);
	tcase_add_test(t, each_feature_has_its_own_count);
	tcase_add_test(t, verdicts_of_layers);
	tcase_add_test(t, the_worst_come_first);
	tcase_add_loop_test(t, many_features, 0, 4);
	tcase_add_test(t, idle_threads_help_with_many_features);
	tcase_add_test(t, memory_that_is_not_there);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	return s;
}
