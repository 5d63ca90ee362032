/* SPDX-License-Identifier: MIT */
/*
 * Idempotency keys: a request holds its key alone, an update is made once under it, and it is forgotten after its time.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "handlers/claims.h"
#include "tests/unit/scratch_store.h"

static const double mean = 3, var = 1;
static const struct update update = {
	.averaging = AVERAGING_POOLED, .count = 2, .features = 1, .mean = &mean, .var = &var
};

static struct scratch_change
keyed(const char *key, int digest)
{
	struct scratch_change c = { .op.change.key = key,
		.write = { .kind = STORE_UPDATE, .updates = { .list = &update, .count = 1 } } };

	memset(c.op.change.key_digest, digest, sizeof(c.op.change.key_digest));
	return c;
}

static void
assert_made(const struct scratch_change *c, bool repeated, uint64_t number)
{
	ck_assert_msg(c->op.err.code == ERR_NONE, "%s", c->op.err.detail);
	ck_assert_int_eq(c->op.change.repeated, repeated);
	ck_assert_uint_eq(c->write.result.num_batches_tracked, number);
	ck_assert_uint_eq(c->write.result.revision, number);
}

START_TEST(a_repeat_changes_nothing_and_says_what_the_first_said)
{
	struct store *s = scratch_open();
	struct scratch_change c;

	scratch_create(s, "l");
	scratch_create(s, "other");
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, false, 1);
	c = scratch_run_change(s, keyed("b", 1));
	assert_made(&c, false, 2);
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, true, 1);
	c = scratch_run_change(s, keyed("a", 2));
	ck_assert_int_eq(c.op.err.code, ERR_IDEMPOTENCY_MISMATCH);
	c = keyed("a", 2);
	c.write.layer = "other";
	c = scratch_run_change(s, c);
	assert_made(&c, false, 1);
	store_close(s);

	s = scratch_open();
	c = scratch_run_change(s, keyed("b", 1));
	assert_made(&c, true, 2);
	c = scratch_run_change(s,
	    (struct scratch_change){ .write = { .kind = STORE_UPDATE, .updates = { .list = &update, .count = 1 } } });
	assert_made(&c, false, 3);
	store_close(s);
}
END_TEST

START_TEST(repeats_in_one_batch_are_one_update)
{
	struct store *s = scratch_open();
	static struct scratch_change ops[100];
	unsigned first = 0;

	scratch_create(s, "l");
	for (int i = 0; i < 100; i++) {
		ops[i] = keyed("k", 1);
		scratch_submit_change(s, &ops[i]);
	}
	scratch_wait(100);
	for (int i = 0; i < 100; i++) {
		assert_made(&ops[i], ops[i].op.change.repeated, 1);
		first += !ops[i].op.change.repeated;
	}
	ck_assert_uint_eq(first, 1);
	store_close(s);
}
END_TEST

START_TEST(a_refused_update_leaves_its_key_free)
{
	static const double two[2] = { 1, 2 };
	static const struct update wide = {
		.averaging = AVERAGING_POOLED, .count = 2, .features = 2, .mean = two, .var = two
	};
	struct store *s = scratch_open();
	struct scratch_change c;

	scratch_create(s, "l");
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, false, 1);
	c = keyed("b", 1);
	c.write.updates.list = &wide;
	c = scratch_run_change(s, c);
	ck_assert_int_eq(c.op.err.code, ERR_SHAPE_MISMATCH);
	c = scratch_run_change(s, keyed("b", 2));
	assert_made(&c, false, 2);
	store_close(s);
}
END_TEST

START_TEST(a_new_layer_of_the_same_name_has_no_keys)
{
	struct store *s = scratch_open();
	struct scratch_change c;

	scratch_create(s, "l");
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, false, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE });
	scratch_create(s, "l");
	c = scratch_run_change(s, keyed("a", 2));
	assert_made(&c, false, 1);
	store_close(s);
}
END_TEST

START_TEST(an_old_key_means_a_new_update_also_before_it_is_purged)
{
	struct store *s = scratch_open_with(SCRATCH_QUEUE_MAX, 1);
	struct scratch_change c;

	scratch_create(s, "l");
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, false, 1);
	for (int i = 0; c.write.result.num_batches_tracked == 1; i++) {
		ck_assert_int_lt(i, 100); /* keys are purged at the start, and a minute later */
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		c = scratch_run_change(s, keyed("a", 1));
	}
	assert_made(&c, false, 2);
	c = scratch_run_change(s, keyed("a", 1));
	assert_made(&c, true, 2);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 1);
}
END_TEST

START_TEST(old_keys_are_purged_slice_by_slice)
{
	struct store *s = scratch_open();
	static struct scratch_change ops[2500];
	static char keys[2500][12];
	struct scratch_change c;

	scratch_create(s, "l");
	for (int i = 0; i < 2500; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		ops[i] = keyed(keys[i], 1);
		scratch_submit_change(s, &ops[i]);
	}
	scratch_wait(2500);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 2500);

	/* Three slices, of which each of these takes one at least; what is new stays. */
	sleep(2);
	s = scratch_open_with(SCRATCH_QUEUE_MAX, 1);
	for (int i = 0; i < 3; i++) {
		c = scratch_run_change(s, keyed("new", 1));
		assert_made(&c, c.op.change.repeated, 2501);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 1);
}
END_TEST

/* Sends keys "first" to "last" - 1 at once, and waits. What was repeated of them is their number. */
static unsigned
send_keys(struct store *s, int first, int last)
{
	static struct scratch_change ops[SCRATCH_QUEUE_MAX];
	static char keys[SCRATCH_QUEUE_MAX][12];
	unsigned repeated = 0;

	for (int i = first; i < last; i++) {
		snprintf(keys[i - first], sizeof(keys[0]), "%d", i);
		ops[i - first] = keyed(keys[i - first], 1);
		scratch_submit_change(s, &ops[i - first]);
	}
	scratch_wait((unsigned)(last - first));
	for (int i = 0; i < last - first; i++) {
		ck_assert_msg(ops[i].op.err.code == ERR_NONE, "%s", ops[i].op.err.detail);
		repeated += ops[i].op.change.repeated;
	}
	return repeated;
}

START_TEST(the_oldest_keys_are_forgotten_beyond_the_limit)
{
	struct store *s = scratch_open_keys(SCRATCH_QUEUE_MAX, 0, 100);
	struct scratch_change c;

	scratch_create(s, "l");
	/* However they come: many in a batch, or one by one. */
	ck_assert_uint_eq(send_keys(s, 0, 3000), 0);
	for (int i = 3000; i < 3050; i++)
		ck_assert_uint_eq(send_keys(s, i, i + 1), 0);
	ck_assert_uint_eq(send_keys(s, 2950, 3050), 100);
	c = scratch_run_change(s, keyed("2949", 2)); /* a new request, so another body is no mismatch */
	assert_made(&c, false, 3051);
	c = scratch_run_change(s, keyed("2950", 1)); /* which that has pushed out */
	assert_made(&c, false, 3052);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 100);
}
END_TEST

START_TEST(a_lower_limit_holds_for_keys_that_are_stored)
{
	struct store *s = scratch_open();
	struct scratch_change c;

	scratch_create(s, "l");
	ck_assert_uint_eq(send_keys(s, 0, 2500), 0);
	store_close(s);
	s = scratch_open_keys(SCRATCH_QUEUE_MAX, 0, 7);
	/* Three slices, of which each of these takes one at least. */
	for (int i = 0; i < 3; i++) {
		c = scratch_run_change(s, keyed("2499", 1));
		assert_made(&c, true, 2500);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 7);
	ck_assert_int_eq(scratch_ask("SELECT min(CAST(key AS INTEGER)) FROM idempotency"), 2493);
}
END_TEST

START_TEST(a_store_that_is_only_read_trims_its_keys_too)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	ck_assert_uint_eq(send_keys(s, 0, 5000), 0);
	store_close(s);
	s = scratch_open_keys(SCRATCH_QUEUE_MAX, 0, 10);
	/* The thread forgets a slice each time it has answered. */
	for (int i = 0; i < 6; i++) {
		snapshot_unref(scratch_layer(s, "l"));
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 10);
}
END_TEST

START_TEST(the_file_does_not_grow_once_it_holds_all_keys)
{
	struct store *s = scratch_open_keys(SCRATCH_QUEUE_MAX, 0, 1000);
	int full, later;

	scratch_create(s, "l");
	for (int i = 0; i < 3000; i += 500)
		ck_assert_uint_eq(send_keys(s, i * 7919 % 1000003, i * 7919 % 1000003 + 500), 0);
	store_close(s);
	full = scratch_ask("PRAGMA page_count");
	s = scratch_open_keys(SCRATCH_QUEUE_MAX, 0, 1000);
	for (int i = 3000; i < 15000; i += 500)
		ck_assert_uint_eq(send_keys(s, i * 7919 % 1000003, i * 7919 % 1000003 + 500), 0);
	store_close(s);
	later = scratch_ask("PRAGMA page_count");
	ck_assert_msg(later <= full + full / 5, "%d pages have become %d", full, later);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM idempotency"), 1000);
}
END_TEST

START_TEST(a_claim_is_held_by_one)
{
	struct claims *all = claims_new();
	struct claim a = { .model = "m", .layer = "l", .key = "k" }, b = a;
	struct claim other_layer = { .model = "m", .layer = "l2", .key = "k" };
	struct claim other_key = { .model = "m", .layer = "l", .key = "k2" };

	ck_assert_ptr_nonnull(all);
	ck_assert(claims_take(all, &a));
	ck_assert(!claims_take(all, &b));
	claims_release(&b);
	ck_assert(!claims_take(all, &b));
	ck_assert(claims_take(all, &other_layer));
	ck_assert(claims_take(all, &other_key));
	claims_release(&a);
	claims_release(&a);
	ck_assert(claims_take(all, &b));
	claims_release(&b);
	claims_release(&other_key);
	claims_release(&other_layer);
	claims_free(all);
}
END_TEST

START_TEST(many_claims_share_the_buckets)
{
	enum { COUNT = 20000 };
	struct claims *all = claims_new();
	struct claim *claims = calloc(COUNT, sizeof(*claims));
	char(*keys)[12] = calloc(COUNT, sizeof(*keys));

	ck_assert(all != NULL && claims != NULL && keys != NULL);
	for (int i = 0; i < COUNT; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		claims[i] = (struct claim){ .model = "m", .layer = "l", .key = keys[i] };
		ck_assert(claims_take(all, &claims[i]));
	}
	for (int i = 0; i < COUNT; i += 2)
		claims_release(&claims[i]);
	for (int i = 0; i < COUNT; i++) {
		struct claim again = { .model = "m", .layer = "l", .key = keys[i] };

		ck_assert_int_eq(claims_take(all, &again), i % 2 == 0);
		claims_release(&again);
	}
	for (int i = 1; i < COUNT; i += 2)
		claims_release(&claims[i]);
	free(keys);
	free(claims);
	claims_free(all);
}
END_TEST

START_TEST(a_digest_is_of_the_bytes_not_of_the_pieces)
{
	unsigned char bytes[5000], whole[DIGEST_BYTES], pieces[DIGEST_BYTES], other[DIGEST_BYTES];
	struct digest *d = digest_new();

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	digest_add(d, bytes, sizeof(bytes));
	digest_get(d, whole);
	digest_free(d);
	for (size_t step = 1; step < 700; step += 97) {
		d = digest_new();
		for (size_t i = 0; i < sizeof(bytes); i += step)
			digest_add(d, bytes + i, sizeof(bytes) - i < step ? sizeof(bytes) - i : step);
		digest_get(d, pieces);
		digest_free(d);
		ck_assert_mem_eq(whole, pieces, DIGEST_BYTES);
	}
	d = digest_new();
	bytes[2500] ^= 1;
	digest_add(d, bytes, sizeof(bytes));
	digest_get(d, other);
	digest_free(d);
	ck_assert_mem_ne(whole, other, DIGEST_BYTES);
}
END_TEST

START_TEST(a_digest_is_the_published_one)
{
	/*
	 * XXH3, 128 bits, of nothing, in its canonical order of bytes: what xxhsum -H2 prints. A stored one must never
	 * change.
	 */
	static const unsigned char expected[DIGEST_BYTES] = { 0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60,
		0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f };
	unsigned char out[DIGEST_BYTES];
	struct digest *d = digest_new();

	digest_get(d, out);
	digest_free(d);
	ck_assert_mem_eq(out, expected, DIGEST_BYTES);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("keys");
	TCase *t = tcase_create("keys");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_set_timeout(t, 120); /* thousands of commits, instrumented, beside other work */
	tcase_add_test(t, a_repeat_changes_nothing_and_says_what_the_first_said);
	tcase_add_test(t, repeats_in_one_batch_are_one_update);
	tcase_add_test(t, a_refused_update_leaves_its_key_free);
	tcase_add_test(t, a_new_layer_of_the_same_name_has_no_keys);
	tcase_add_test(t, an_old_key_means_a_new_update_also_before_it_is_purged);
	tcase_add_test(t, old_keys_are_purged_slice_by_slice);
	tcase_add_test(t, the_oldest_keys_are_forgotten_beyond_the_limit);
	tcase_add_test(t, a_lower_limit_holds_for_keys_that_are_stored);
	tcase_add_test(t, a_store_that_is_only_read_trims_its_keys_too);
	scratch_add_of_sqlite(t, the_file_does_not_grow_once_it_holds_all_keys);
	tcase_add_test(t, a_claim_is_held_by_one);
	tcase_add_test(t, many_claims_share_the_buckets);
	tcase_add_test(t, a_digest_is_of_the_bytes_not_of_the_pieces);
	tcase_add_test(t, a_digest_is_the_published_one);
	suite_add_tcase(s, t);
	return s;
}
