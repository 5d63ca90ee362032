/* SPDX-License-Identifier: MIT */
/*
 * The memory budget: what is taken is never more than there is, whoever asks at once; and how --max-memory is shared
 * out.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/budget.h"
#include "base/memory.h"
#include "codec/json_scan.h"
#include "codec/npy.h"
#include "server/memory_plan.h"

#define MIB ((size_t)1 << 20)

START_TEST(take_and_give)
{
	struct budget b;
	struct budget_share one = { .budget = &b }, two = { .budget = &b };

	budget_init(&b, 100 * MIB);
	ck_assert(budget_take(&one, 60 * MIB));
	ck_assert(!budget_take(&two, 41 * MIB));
	ck_assert(budget_take(&two, 40 * MIB));
	ck_assert(!budget_take(&one, 1));
	ck_assert(budget_take(&one, 0));
	budget_give(&one, 10 * MIB);
	ck_assert(budget_take(&two, 9 * MIB));
	budget_give_all(&one);
	budget_give_all(&one);
	ck_assert_uint_eq(two.bytes, 49 * MIB);
	budget_give_all(&two);
	ck_assert(budget_take(&one, 100 * MIB));
	ck_assert(!budget_take(&two, SIZE_MAX));
}
END_TEST

START_TEST(without_a_budget_all_is_granted)
{
	struct budget_share none = { 0 };

	ck_assert(budget_take(&none, SIZE_MAX));
	budget_give_all(&none);
	ck_assert(budget_take(NULL, SIZE_MAX));
	budget_give(NULL, 1);
}
END_TEST

static void *
take_often(void *arg)
{
	struct budget_share s = { .budget = arg };
	size_t granted = 0;

	for (int i = 0; i < 100000; i++) {
		if (budget_take(&s, 3))
			granted++;
		if (atomic_load(&s.budget->bytes) > s.budget->bytes_max)
			granted = SIZE_MAX / 2;
		if (i % 3 == 0)
			budget_give_all(&s);
	}
	budget_give_all(&s);
	return (void *)granted;
}

START_TEST(many_at_once)
{
	struct budget b;
	pthread_t threads[4];
	void *granted;
	size_t sum = 0;

	budget_init(&b, 20);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_often, &b), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &granted);
		ck_assert_uint_le((size_t)granted, 100000);
		sum += (size_t)granted;
	}
	/* Not each of them: one that is stopped with all of it in its hands may outlast another's whole loop. */
	ck_assert_uint_gt(sum, 0);
	ck_assert_uint_eq(atomic_load(&b.bytes), 0);
}
END_TEST

START_TEST(what_is_paid_ahead_is_taken_without_the_budget)
{
	struct budget b;
	struct budget_share s = { .budget = &b };

	budget_init(&b, 100);
	budget_credit(&s, 10);
	ck_assert(budget_pay_ahead(&s, 50));
	ck_assert_uint_eq(atomic_load(&b.bytes), 50);
	ck_assert(budget_take(&s, 60));
	ck_assert_uint_eq(atomic_load(&b.bytes), 50);
	ck_assert(!budget_has_room(&s, 51));
	ck_assert(budget_has_room(&s, 50));
	ck_assert(budget_take(&s, 1));
	ck_assert_uint_eq(atomic_load(&b.bytes), 51);
	budget_give_all(&s);
	ck_assert_uint_eq(atomic_load(&b.bytes), 0);
	ck_assert(budget_take(&s, 10));
	ck_assert_uint_eq(atomic_load(&b.bytes), 0);
	budget_give(&s, 10);
	ck_assert(!budget_pay_ahead(&s, 101));
}
END_TEST

START_TEST(much_that_is_given_is_others_at_once)
{
	struct budget b;
	struct budget_share s = { .budget = &b };

	budget_init(&b, 100 * MIB);
	ck_assert(budget_take(&s, 90 * MIB));
	budget_give(&s, 89 * MIB);
	ck_assert_uint_ge(atomic_load(&b.bytes), MIB);
	ck_assert_uint_le(atomic_load(&b.bytes), MIB + MIB / 16);
	budget_give_all(&s);
	ck_assert_uint_eq(atomic_load(&b.bytes), 0);
}
END_TEST

START_TEST(what_never_fits_is_told_from_what_does_not_fit_now)
{
	struct budget b;
	struct budget_share s = { .budget = &b }, other = { .budget = &b };
	struct err e = { 0 };

	budget_init(&b, 100);
	ck_assert(budget_take(&other, 50));
	ck_assert_int_eq(budget_ask(&s, 60, &e), -1);
	ck_assert_int_eq(e.code, ERR_OVERLOADED);
	ck_assert_uint_gt(e.retry_after_s, 0);
	ck_assert_int_eq(budget_ask(&s, 101, &e), -1);
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	ck_assert_int_eq(budget_ask(&s, 50, &e), 0);
	ck_assert_int_eq(budget_ask(&s, 51, &e), -1); /* with what it has */
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	ck_assert_int_eq(budget_ask(&s, SIZE_MAX, &e), -1);
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
}
END_TEST

/* What of an array's memory is counted when its head and `sent` bytes of its values have come. */
static size_t
counted_of_array(const char *head, size_t sent)
{
	struct budget b;
	struct budget_share s = { .budget = &b };
	struct npy *n;
	struct err e = { 0 };
	char file[256] = "\x93NUMPY\x01\x00", zeros[4096] = { 0 };
	size_t bytes;

	budget_init(&b, 100 * MIB);
	file[8] = 118;
	file[9] = 0;
	memset(file + 10, ' ', 118);
	memcpy(file + 10, head, strlen(head));
	file[127] = '\n';
	n = npy_new(64 * MIB, &s);
	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(npy_feed(n, file, 128, &e), 0);
	for (size_t i = 0; i < sent; i += sizeof(zeros))
		ck_assert_int_eq(npy_feed(n, zeros, sizeof(zeros), &e), 0);
	bytes = atomic_load(&b.bytes);
	npy_free(n);
	budget_give_all(&s);
	return bytes;
}

START_TEST(an_array_is_counted_as_it_arrives)
{
	static const char c[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (8000000, 2)}",
			  fortran[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (8000000, 2)}",
			  small[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2048, 2)}";

	ck_assert_uint_le(counted_of_array(c, 4096), 2 * MIB);
	ck_assert_uint_le(counted_of_array(c, 10 * MIB), 12 * MIB);
	ck_assert_uint_ge(counted_of_array(c, 10 * MIB), 10 * MIB);
	ck_assert_uint_le(counted_of_array(fortran, 4096), 64 * 1024);
	ck_assert_uint_ge(counted_of_array(fortran, 9 * MIB), 64000000);
	ck_assert_uint_eq(counted_of_array(small, 4096), 16384);
}
END_TEST

/* What a JSON document takes of the budget at its end. */
static size_t
counted_of_json(const char *text, size_t repeat, const char *end, bool finish)
{
	static const struct json_slot slots[] = { { .key = "", .datatype = DATATYPE_FP32 },
		{ .key = "mask", .datatype = DATATYPE_BOOL } };
	struct budget b;
	struct budget_share s = { .budget = &b };
	struct json_scan *scan;
	struct err e = { 0 };
	size_t bytes;

	budget_init(&b, 100 * MIB);
	scan = json_scan_new(slots, 2, 64 * MIB, &s);
	ck_assert_ptr_nonnull(scan);
	ck_assert_int_eq(json_scan_feed(scan, text, strlen(text), &e), 0);
	for (size_t i = 0; i < repeat; i += 10)
		ck_assert_int_eq(json_scan_feed(scan, "1,1,1,1,1,1,1,1,1,1,", 20, &e), 0);
	ck_assert_int_eq(json_scan_feed(scan, end, strlen(end), &e), 0);
	if (finish)
		ck_assert_int_eq(json_scan_finish(scan, &e), 0);
	bytes = s.bytes;
	json_scan_free(scan);
	return bytes;
}

START_TEST(json_is_counted_as_it_arrives)
{
	ck_assert_uint_le(
	    counted_of_json("{\"datatype\":\"FP32\",\"shape\":[16000000],\"data\":[", 10, "", false), 128 * 1024);
	ck_assert_uint_ge(
	    counted_of_json("{\"datatype\":\"FP32\",\"shape\":[16000000],\"data\":[", 100000, "", false), 400000);
	ck_assert_uint_ge(counted_of_json("{\"lengths\":[", 40000, "1]}", true), 40000 * 96);
	ck_assert_uint_ge(counted_of_json("{\"lengths\":[", 40000, "", false), 40000 * 4);
}
END_TEST

START_TEST(a_mask_takes_a_byte_a_value)
{
	const size_t envelope = 8192;

	ck_assert_uint_le(
	    counted_of_json("{\"mask\":{\"shape\":[1000001],\"data\":[", 1000000, "true]}}", true), 1000001 + envelope);
	/* Without a shape the memory doubles as values come, and what is left over is given back. */
	ck_assert_uint_le(counted_of_json("{\"mask\":[", 1100000, "", false), (size_t)1 << 21 | envelope);
	ck_assert_uint_le(counted_of_json("{\"mask\":[", 1100000, "false]}", true), 1100001 + envelope);
}
END_TEST

static struct memory_wishes
wish(size_t total, size_t available, size_t body_max, unsigned threads)
{
	return (struct memory_wishes){ total, available, body_max, true, threads, false };
}

START_TEST(connections_under_tls_are_fewer_or_cost_more)
{
	struct memory_wishes plain = wish(1024 * MIB, 4096 * MIB, 64 * MIB, 2), tls = plain;
	struct memory_plan p, t;
	struct err e = { 0 };

	tls.tls = true;
	ck_assert_int_eq(memory_plan_make(&plain, &p, &e), 0);
	ck_assert_int_eq(memory_plan_make(&tls, &t, &e), 0);
	ck_assert_uint_eq(t.connections, p.connections);
	ck_assert_uint_ge(t.connection, p.connection + 32 * 1024);
	plain.total = plain.available = tls.total = tls.available = 64 * 1024 * MIB;
	ck_assert_int_eq(memory_plan_make(&plain, &p, &e), 0);
	ck_assert_int_eq(memory_plan_make(&tls, &t, &e), 0);
	ck_assert_uint_eq(t.connections / t.connection, p.connections / p.connection);
	ck_assert_uint_lt(t.requests, p.requests);
}
END_TEST

START_TEST(the_parts_make_the_whole)
{
	static const size_t totals[] = { 200 * MIB, 256 * MIB, 1024 * MIB, 16384 * MIB };
	struct memory_wishes w;
	struct memory_plan p;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		w = wish(totals[i], MIB, 64 * MIB, 2);
		ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
		ck_assert_uint_eq(p.total, totals[i]);
		ck_assert_uint_lt(p.cache + p.connections + p.requests + 2 * 2 * 2 * p.kept, p.total);
		ck_assert_uint_ge(p.requests, 64 * MIB);
		ck_assert_uint_gt(p.cache, 0);
		ck_assert(p.sources > 0 && p.sources < p.cache);
		ck_assert_uint_gt(p.connections, 0);
		ck_assert_uint_eq(p.body_max, 64 * MIB);
	}
	w = wish(0, 4096 * MIB, 64 * MIB, 2);
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
	ck_assert_uint_eq(p.total, 2048 * MIB);
	ck_assert(!p.body_lowered);
	/* The sources of a network: 50,000 features at 500 sites, of which each takes four doubles. */
	w = wish(0, 8192 * MIB, 64 * MIB, 2);
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
	ck_assert_uint_ge(p.sources, (size_t)500 * 50000 * 4 * sizeof(double));
}
END_TEST

/* The number of MiB after `words` in an error's detail. */
static size_t
named(const struct err *e, const char *words)
{
	const char *at = strstr(e->detail, words);
	size_t mib = 0;

	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sscanf(at + strlen(words), " %zu", &mib), 1);
	return mib;
}

START_TEST(what_is_too_small_is_refused_and_the_least_that_is_named_will_do)
{
	static const size_t bodies[] = { MIB, 64 * MIB, 1024 * MIB, 4096 * MIB };
	struct memory_wishes w;
	struct memory_plan p;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		for (unsigned threads = 1; threads <= 256; threads *= 4) {
			struct err e = { 0 };
			size_t least;

			w = wish(MIB, 0, bodies[i], threads);
			ck_assert_int_eq(memory_plan_make(&w, &p, &e), -1);
			ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
			least = named(&e, "at least");
			w.total = least * MIB;
			ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
			ck_assert_uint_ge(p.requests, bodies[i]);
			w.total -= MIB;
			ck_assert_int_eq(memory_plan_make(&w, &p, &e), -1);
			/*
			 * Nothing asked for, and half of what there is too little: the least, while that leaves a
			 * quarter.
			 */
			w = wish(0, least * MIB / 3 * 4 + 4, bodies[i], threads);
			ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
			ck_assert_uint_eq(p.total, least * MIB);
		}
}
END_TEST

START_TEST(a_small_container_has_smaller_bodies)
{
	struct memory_wishes w = wish(0, 128 * MIB, 64 * MIB, 2);
	struct memory_plan p;
	struct err e = { 0 };

	w.body_fixed = false;
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
	ck_assert_uint_le(p.total, 96 * MIB);
	ck_assert(p.body_lowered);
	ck_assert_uint_ge(p.body_max, MIB);
	ck_assert_uint_lt(p.body_max, p.requests);
	/* Who has said how large a body may be is told that it does not go. */
	w.body_fixed = true;
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), -1);
	ck_assert_uint_eq(named(&e, "may use"), 128);
	ck_assert_uint_gt(named(&e, "and needs"), 128);
	/* What is enough for nothing is refused, with what would be. */
	w = (struct memory_wishes){ .available = 16 * MIB, .body_max = 64 * MIB, .threads = 2 };
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), -1);
	w.available = named(&e, "and needs") * MIB;
	ck_assert_int_eq(memory_plan_make(&w, &p, &e), 0);
	ck_assert_uint_ge(p.body_max, MIB);
	ck_assert_uint_le(p.total, w.available / 4 * 3);
}
END_TEST

/* A tree of control groups in a directory of its own. */
static void
write_file(const char *directory, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	for (size_t i = 1; i < strlen(name); i++)
		if (name[i] == '/') {
			snprintf(path, sizeof(path), "%s/%.*s", directory, (int)i, name);
			(void)mkdir(path, 0700);
		}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static size_t
group_limit(const char *directory, const char *groups)
{
	char path[512], mount[512];

	write_file(directory, "groups", groups);
	snprintf(path, sizeof(path), "%s/groups", directory);
	snprintf(mount, sizeof(mount), "%s/mount", directory);
	return memory_group_limit(path, mount);
}

START_TEST(control_groups)
{
	char directory[] = "/tmp/normd-groups-XXXXXX", command[128];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	write_file(directory, "mount/a/b/memory.max", "max\n");
	write_file(directory, "mount/a/memory.max", "104857600\n");
	write_file(directory, "mount/c/memory.max", "104857600\n");
	write_file(directory, "mount/c/memory.high", "52428800\n");
	write_file(directory, "mount/memory/d/memory.limit_in_bytes", "209715200\n");
	write_file(directory, "mount/memory/d/e/memory.limit_in_bytes", "9223372036854771712\n");
	write_file(directory, "mount/memory/memory.limit_in_bytes", "9223372036854771712\n");
	ck_assert_uint_eq(group_limit(directory, "0::/a/b\n"), 100 * MIB); /* a limit of the group above */
	ck_assert_uint_eq(group_limit(directory, "0::/c\n"), 50 * MIB);
	ck_assert_uint_eq(group_limit(directory, "0::/\n"), SIZE_MAX);
	ck_assert_uint_eq(group_limit(directory, "5:cpu,memory:/d/e\n4:pids:/x\n"), 200 * MIB);
	ck_assert_uint_eq(group_limit(directory, "5:cpu,hugememory:/d/e\n"), SIZE_MAX);
	ck_assert_uint_eq(group_limit(directory, "5:memory:/d\n0::/c\n"), 50 * MIB);
	/* In a container the group's path is the host's, and its own group is the root. */
	write_file(directory, "mount/memory/memory.limit_in_bytes", "104857600\n");
	ck_assert_uint_eq(group_limit(directory, "5:memory:/docker/0123\n"), 100 * MIB);
	write_file(directory, "mount/memory.max", "73400320\n");
	ck_assert_uint_eq(group_limit(directory, "0::/\n"), 70 * MIB);
	ck_assert_uint_eq(group_limit(directory, "nonsense\n"), SIZE_MAX);
	ck_assert_uint_eq(memory_group_limit("/nonexistent", "/nonexistent"), SIZE_MAX);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(this_machine_has_memory)
{
	ck_assert_uint_ge(memory_limit_bytes(), 64 * MIB);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("budget");
	TCase *t = tcase_create("budget");

	tcase_add_test(t, take_and_give);
	tcase_add_test(t, without_a_budget_all_is_granted);
	tcase_add_test(t, many_at_once);
	tcase_add_test(t, what_is_paid_ahead_is_taken_without_the_budget);
	tcase_add_test(t, much_that_is_given_is_others_at_once);
	tcase_add_test(t, what_never_fits_is_told_from_what_does_not_fit_now);
	tcase_add_test(t, an_array_is_counted_as_it_arrives);
	tcase_add_test(t, json_is_counted_as_it_arrives);
	tcase_add_test(t, a_mask_takes_a_byte_a_value);
	tcase_add_test(t, the_parts_make_the_whole);
	tcase_add_test(t, connections_under_tls_are_fewer_or_cost_more);
	tcase_add_test(t, what_is_too_small_is_refused_and_the_least_that_is_named_will_do);
	tcase_add_test(t, a_small_container_has_smaller_bodies);
	tcase_add_test(t, control_groups);
	tcase_add_test(t, this_machine_has_memory);
	suite_add_tcase(s, t);
	return s;
}
