/* SPDX-License-Identifier: MIT */
/* What is remembered of the Open Inference Protocol's calls: counters, marks of unloaded models, and their bounds. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/usage.h"

static const struct usage_call good = {
	.succeeded = true, .total_ns = 100, .queue_ns = 1, .input_ns = 2, .infer_ns = 3, .output_ns = 4
};
static const struct usage_call bad = { .succeeded = false, .total_ns = 7, .queue_ns = 5 };

static struct usage *
make(size_t places)
{
	struct usage *u = usage_new(places);

	ck_assert_ptr_nonnull(u);
	return u;
}

/* Unloads a model that is known to exist now. */
static int
unload(struct usage *u, const char *model, struct err *e)
{
	bool stale;
	const int result = usage_unload(u, model, usage_deleted(u), &stale, e);

	ck_assert(!stale);
	return result;
}

/* How many calls of live states of the model have succeeded. */
static uint64_t
succeeded(struct usage *u, const char *model)
{
	struct usage_counts c;

	usage_get(u, model, 0, &c);
	return c.succeeded;
}

/* Lists all entries, `max` at a time. Returns how many. */
static size_t
list(struct usage *u, const char *model, struct usage_entry *out, size_t max)
{
	size_t n = 0, at = 0;

	while (at != USAGE_END)
		n += usage_list(u, model, &at, out + n, max);
	return n;
}

START_TEST(calls_are_counted)
{
	struct usage *u = make(8);
	const int64_t before = clock_realtime_ms();
	struct usage_counts c;

	usage_note(u, "m", 3, &good);
	usage_note(u, "m", 3, &bad);
	usage_note(u, "m", 3, &good);
	usage_note(u, "m", 0, &bad);
	usage_get(u, "m", 3, &c);
	ck_assert_uint_eq(c.succeeded, 2);
	ck_assert_uint_eq(c.failed, 1);
	ck_assert_uint_eq(c.success_ns, 200);
	ck_assert_uint_eq(c.fail_ns, 7);
	ck_assert_uint_eq(c.queue_ns, 2);
	ck_assert_uint_eq(c.input_ns, 4);
	ck_assert_uint_eq(c.infer_ns, 6);
	ck_assert_uint_eq(c.output_ns, 8);
	ck_assert_int_ge(c.last_ms, before);
	ck_assert_int_le(c.last_ms, clock_realtime_ms());
	/* A call that failed is not an inference. */
	usage_get(u, "m", 0, &c);
	ck_assert_uint_eq(c.failed, 1);
	ck_assert_int_eq(c.last_ms, 0);
	usage_get(u, "m", 4, &c);
	ck_assert_uint_eq(c.succeeded + c.failed, 0);
	usage_free(u);
}
END_TEST

START_TEST(the_least_recently_used_is_forgotten)
{
	struct usage *u = make(4);

	usage_note(u, "a", 0, &good);
	usage_note(u, "b", 0, &good);
	usage_note(u, "c", 0, &good);
	usage_note(u, "d", 0, &good);
	usage_note(u, "a", 0, &good);
	usage_note(u, "e", 0, &good);
	ck_assert_uint_eq(succeeded(u, "a"), 2);
	ck_assert_uint_eq(succeeded(u, "b"), 0);
	ck_assert_uint_eq(succeeded(u, "c"), 1);
	ck_assert_uint_eq(succeeded(u, "d"), 1);
	ck_assert_uint_eq(succeeded(u, "e"), 1);
	/* It begins again at 0. */
	usage_note(u, "b", 0, &good);
	ck_assert_uint_eq(succeeded(u, "b"), 1);
	ck_assert_uint_eq(succeeded(u, "c"), 0);
	usage_free(u);
}
END_TEST

/* Compared with a plain list: which entries there are, and their counts, after many calls of more than fit. */
START_TEST(many_entries_are_those_used_last)
{
	enum { PLACES = 100, NAMES = 300, CALLS = 20000 };
	struct usage *u = make(PLACES);
	struct usage_entry found[PLACES];
	unsigned order[PLACES + 1], counts[NAMES] = { 0 }, present = 0, at, random = 1;
	char name[16];

	for (int i = 0; i < CALLS; i++) {
		random = random * 1664525 + 1013904223;
		const unsigned n = (random >> 16) % (i % 2 ? NAMES : PLACES);

		snprintf(name, sizeof(name), "m%u", n);
		usage_note(u, name, n % 3, &good);
		for (at = 0; at < present && order[at] != n; at++)
			continue;
		present += at == present;
		memmove(order + 1, order, at * sizeof(*order));
		order[0] = n;
		counts[n]++;
		if (present > PLACES)
			counts[order[--present]] = 0;
	}
	ck_assert_uint_eq(list(u, NULL, found, PLACES), present);
	for (at = 0; at < present; at++) {
		const unsigned n = (unsigned)atoi(found[at].model + 1);

		ck_assert_uint_eq(found[at].version, n % 3);
		ck_assert_uint_gt(counts[n], 0);
		ck_assert_uint_eq(found[at].counts.succeeded, counts[n]);
		counts[n] = 0; /* each comes once */
	}
	usage_free(u);
}
END_TEST

START_TEST(a_list_comes_in_pieces)
{
	enum { PLACES = 2000 };
	struct usage *u = make(PLACES);
	struct usage_entry *found = calloc(PLACES, sizeof(*found));
	char name[16];

	ck_assert_ptr_nonnull(found);
	ck_assert_uint_eq(list(u, NULL, found, 10), 0);
	ck_assert_uint_eq(usage_places_used(u), 0);
	for (unsigned i = 0; i < PLACES; i++) {
		snprintf(name, sizeof(name), "m%u", i / 10);
		usage_note(u, name, i % 10, &good);
	}
	ck_assert_uint_eq(usage_places_used(u), PLACES);
	ck_assert_uint_eq(list(u, NULL, found, 1), PLACES);
	ck_assert_uint_eq(list(u, NULL, found, 333), PLACES);
	ck_assert_uint_eq(list(u, "m7", found, 333), 10);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_str_eq(found[i].model, "m7");
	ck_assert_uint_eq(list(u, "m", found, 333), 0);
	free(found);
	usage_free(u);
}
END_TEST

START_TEST(models_are_unloaded_and_loaded)
{
	struct usage *u = make(8);
	struct usage_entry found[8];
	struct err e = { 0 };

	ck_assert(!usage_is_unloaded(u, "m"));
	ck_assert_int_eq(usage_check_loaded(u, "m", &e), 0);
	usage_load(u, "m");
	usage_note(u, "m", 0, &good);
	ck_assert_int_eq(unload(u, "m", &e), 0);
	ck_assert_int_eq(unload(u, "m", &e), 0);
	ck_assert(usage_is_unloaded(u, "m"));
	ck_assert(!usage_is_unloaded(u, "n"));
	ck_assert_int_eq(usage_check_loaded(u, "m", &e), -1);
	ck_assert_int_eq(e.code, ERR_NO_SUCH_MODEL);
	ck_assert_ptr_nonnull(strstr(e.detail, "\"m\" is unloaded"));
	/* A mark is not an entry, and the counters stay. */
	ck_assert_uint_eq(list(u, NULL, found, 8), 1);
	ck_assert_uint_eq(succeeded(u, "m"), 1);
	usage_load(u, "m");
	ck_assert(!usage_is_unloaded(u, "m"));
	ck_assert_uint_eq(succeeded(u, "m"), 1);
	usage_free(u);
}
END_TEST

START_TEST(marks_are_bounded_and_not_forgotten)
{
	struct usage *u = make(4);
	struct err e = { 0 };
	char name[16];

	ck_assert_int_eq(unload(u, "a", &e), 0);
	ck_assert_int_eq(unload(u, "b", &e), 0);
	ck_assert_int_eq(unload(u, "c", &e), -1);
	ck_assert_int_eq(e.code, ERR_OVERLOADED);
	ck_assert(!usage_is_unloaded(u, "c"));
	ck_assert_int_eq(unload(u, "a", &e), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		usage_note(u, name, 0, &good);
	}
	ck_assert(usage_is_unloaded(u, "a"));
	ck_assert(usage_is_unloaded(u, "b"));
	ck_assert_uint_eq(succeeded(u, "m98") + succeeded(u, "m99"), 2);
	usage_load(u, "b");
	ck_assert_int_eq(unload(u, "c", &e), 0);
	ck_assert(usage_is_unloaded(u, "c"));
	usage_free(u);
}
END_TEST

START_TEST(a_deleted_model_leaves_nothing)
{
	struct usage *u = make(1000);
	struct usage_entry found[1000];
	struct err e = { 0 };

	for (unsigned i = 0; i < 400; i++) {
		usage_note(u, "gone", i, &good);
		usage_note(u, "stays", i, &good);
	}
	ck_assert_int_eq(unload(u, "gone", &e), 0);
	ck_assert_int_eq(unload(u, "stays", &e), 0);
	usage_forget(u, "gone");
	usage_forget(u, "never");
	ck_assert(!usage_is_unloaded(u, "gone"));
	ck_assert(usage_is_unloaded(u, "stays"));
	ck_assert_uint_eq(list(u, "gone", found, 1000), 0);
	ck_assert_uint_eq(list(u, NULL, found, 1000), 400);
	/* Its places are used again. */
	for (unsigned i = 0; i < 599; i++)
		usage_note(u, "new", i, &good);
	ck_assert_uint_eq(list(u, "new", found, 1000), 599);
	ck_assert_uint_eq(list(u, "stays", found, 1000), 400);
	usage_free(u);
}
END_TEST

/* A model may be deleted between the answer that it exists and its mark, which a later model would inherit. */
START_TEST(an_unload_that_a_deletion_overtakes_does_nothing)
{
	struct usage *u = make(8);
	struct err e = { 0 };
	const uint64_t deleted = usage_deleted(u);
	bool stale;

	usage_forget(u, "other");
	ck_assert_int_eq(usage_unload(u, "m", deleted, &stale, &e), 0);
	ck_assert(stale);
	ck_assert(!usage_is_unloaded(u, "m"));
	ck_assert_int_eq(usage_unload(u, "m", usage_deleted(u), &stale, &e), 0);
	ck_assert(!stale);
	ck_assert(usage_is_unloaded(u, "m"));
	usage_free(u);
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000 };

/* Notes calls of models that all threads use, and of its own; unloads and lists at the same time. */
static void *
use(void *arg)
{
	static atomic_uint next;
	const unsigned thread = atomic_fetch_add(&next, 1);
	struct usage_entry found[32];
	struct usage *u = arg;
	struct err e = { 0 };
	char name[16];
	size_t at = 0;

	snprintf(name, sizeof(name), "t%u", thread);
	for (unsigned i = 0; i < ROUNDS; i++) {
		usage_note(u, "shared", i % 2, &good);
		usage_note(u, name, i % 20, &bad);
		if (i % 100 == 0) {
			ck_assert_int_eq(unload(u, name, &e), 0);
			ck_assert(usage_is_unloaded(u, name));
			at = at == USAGE_END ? 0 : at;
			ck_assert_uint_le(usage_list(u, NULL, &at, found, 32), 32);
			usage_load(u, name);
			ck_assert(!usage_is_unloaded(u, name));
		}
	}
	return NULL;
}

START_TEST(threads_lose_no_call)
{
	struct usage *u = make(2 + 20 * THREADS + THREADS);
	pthread_t threads[THREADS];
	struct usage_counts c;
	uint64_t failed = 0;
	struct usage_entry found[2 + 20 * THREADS + THREADS];
	size_t n;

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use, u), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (uint64_t version = 0; version < 2; version++) {
		usage_get(u, "shared", version, &c);
		ck_assert_uint_eq(c.succeeded, THREADS * ROUNDS / 2);
		ck_assert_uint_eq(c.success_ns, 100 * c.succeeded);
	}
	n = list(u, NULL, found, 10);
	ck_assert_uint_eq(n, 2 + 20 * THREADS);
	for (size_t i = 0; i < n; i++)
		failed += found[i].counts.failed;
	ck_assert_uint_eq(failed, THREADS * ROUNDS);
	usage_free(u);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("usage");
	TCase *all = tcase_create("usage");

	tcase_add_test(all, calls_are_counted);
	tcase_add_test(all, the_least_recently_used_is_forgotten);
	tcase_add_test(all, many_entries_are_those_used_last);
	tcase_add_test(all, a_list_comes_in_pieces);
	tcase_add_test(all, models_are_unloaded_and_loaded);
	tcase_add_test(all, marks_are_bounded_and_not_forgotten);
	tcase_add_test(all, a_deleted_model_leaves_nothing);
	tcase_add_test(all, an_unload_that_a_deletion_overtakes_does_nothing);
	tcase_add_test(all, threads_lose_no_call);
	suite_add_tcase(suite, all);
	return suite;
}
