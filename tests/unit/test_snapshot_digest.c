/* SPDX-License-Identifier: MIT */
/* A snapshot remembers its digest: none at first, then the same for all threads, also while several set it. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#include "storage/snapshot.h"

#define THREADS 4
#define ROUNDS 300

static const void *
parse(const char *text, struct err *e)
{
	(void)e;
	return text;
}

static void
forget(const void *parsed)
{
	(void)parsed;
}

static const struct snapshot *
make(void)
{
	static const struct identity_common common = { .definitions = { .parse = parse, .free = forget } };
	struct err e = { 0 };
	struct layer_identity *identity = layer_identity_new(1, "m", "l", "{}", &common, &e);
	const struct snapshot *s;

	ck_assert(identity != NULL);
	s = snapshot_new(&(struct snapshot){ .identity = identity, .revision = 1 });
	ck_assert(s != NULL);
	layer_identity_unref(identity);
	return s;
}

START_TEST(once)
{
	const struct snapshot *s = make(), *other = make();
	unsigned char digest[SHA256_BYTES], got[SHA256_BYTES];

	memset(digest, 0xd1, sizeof(digest));
	ck_assert(!snapshot_digest_get(s, got));
	snapshot_digest_set(s, digest);
	ck_assert(snapshot_digest_get(s, got));
	ck_assert_mem_eq(got, digest, SHA256_BYTES);
	snapshot_digest_set(s, digest);
	ck_assert(snapshot_digest_get(s, got));
	ck_assert_mem_eq(got, digest, SHA256_BYTES);
	ck_assert(!snapshot_digest_get(other, got));
	snapshot_unref(s);
	snapshot_unref(other);
}
END_TEST

/* What the threads of a round share. */
struct race {
	const struct snapshot *snapshot;
	pthread_barrier_t start;
};

/* Sets and gets; returns the race where a digest is not the one that all set. */
static void *
run(void *arg)
{
	struct race *r = arg;
	unsigned char digest[SHA256_BYTES], got[SHA256_BYTES];

	memset(digest, 0x5a, sizeof(digest));
	(void)pthread_barrier_wait(&r->start);
	for (int i = 0; i < 3; i++) {
		if (snapshot_digest_get(r->snapshot, got) && memcmp(got, digest, sizeof(got)) != 0)
			return r;
		snapshot_digest_set(r->snapshot, digest);
	}
	return NULL;
}

START_TEST(threads_race)
{
	pthread_t threads[THREADS];
	struct race r;
	unsigned char got[SHA256_BYTES];
	void *wrong;

	ck_assert_int_eq(pthread_barrier_init(&r.start, NULL, THREADS), 0);
	for (int round = 0; round < ROUNDS; round++) {
		r.snapshot = make();
		for (int i = 0; i < THREADS; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, run, &r), 0);
		for (int i = 0; i < THREADS; i++) {
			ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
			ck_assert_ptr_null(wrong);
		}
		ck_assert(snapshot_digest_get(r.snapshot, got));
		ck_assert_int_eq(got[0], 0x5a);
		snapshot_unref(r.snapshot);
	}
	pthread_barrier_destroy(&r.start);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("snapshot_digest");
	TCase *all = tcase_create("snapshots");

	tcase_add_test(all, once);
	tcase_add_test(all, threads_race);
	suite_add_tcase(suite, all);
	return suite;
}
