/* SPDX-License-Identifier: MIT */
/*
 * The store's door: what it answers when it is full, when it stops; that updates in one batch are applied in order, and
 * that several updates of one operation are one change.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/snapshot.h"
#include "storage/sqlite_backend.h"
#include "storage/sqlite_open.h"
#include "tests/unit/opaque.h"
#include "tests/unit/scratch_store.h"

static const struct store_which live = { .kind = STORE_LIVE };

START_TEST(a_full_queue_is_overloaded_and_a_stopped_store_says_so)
{
	struct store *s = scratch_open_with(0, 0);
	struct store_op op = { .kind = STORE_MODEL_LIST, .list.limit = 1 };
	struct err e = { 0 };

	ck_assert_int_eq(store_submit(s, &op, &e), -1);
	ck_assert_int_eq(e.code, ERR_OVERLOADED);
	ck_assert_uint_gt(e.retry_after_s, 0);
	store_stop(s);
	ck_assert_int_eq(store_submit(s, &op, &e), -1);
	ck_assert_int_eq(e.code, ERR_SHUTTING_DOWN);
	store_close(s);
}
END_TEST

#define UPDATES 500

START_TEST(updates_are_applied_in_order_and_each_knows_its_number)
{
	struct store *s = scratch_open();
	static struct scratch_change ops[UPDATES];
	static struct update updates[UPDATES];
	static double means[UPDATES];
	const double var = 1;
	double mean = 0;
	struct scratch_change create = { .write = { .kind = STORE_LAYER_CREATE, .create.definition = "d" } };
	const struct snapshot *layer;

	scratch_submit_change(s, &create);
	for (int i = 0; i < UPDATES; i++) {
		means[i] = i * 0.1;
		mean = 0.75 * mean + 0.25 * means[i];
		updates[i] = (struct update){ .averaging = AVERAGING_EXPONENTIAL,
			.momentum = 0.25,
			.count = 2,
			.features = 1,
			.mean = &means[i],
			.var = &var };
		ops[i].write =
		    (struct store_write){ .kind = STORE_UPDATE, .updates = { .list = &updates[i], .count = 1 } };
		scratch_submit_change(s, &ops[i]);
	}
	scratch_wait(UPDATES + 1);
	ck_assert(create.write.result.created);
	for (int i = 0; i < UPDATES; i++) {
		ck_assert_int_eq(ops[i].op.err.code, ERR_NONE);
		ck_assert_uint_eq(ops[i].write.result.num_batches_tracked, (unsigned)i + 1);
		ck_assert_uint_eq(ops[i].write.result.revision, (unsigned)i + 1);
	}
	layer = store_layer_cached(s, &(struct store_get){ .model = "m", .layer = "l", .which = live });
	ck_assert_ptr_nonnull(layer);
	ck_assert(layer->statistics.mean[0] == mean);
	snapshot_unref(layer);
	store_op_fini(&create.op);
	store_close(s);
}
END_TEST

/* Several updates as one operation. */

#define FEATURES 3

static struct store *
open_with_layers(void)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	scratch_create(s, "other");
	return s;
}

#define SEVERAL 5

/* Update i of several; the numbers are such that the order shows. */
static struct update
update_number(int i, enum averaging averaging)
{
	static const double means[SEVERAL][FEATURES] = { { 1, 20, -3 }, { 0.1, 7, 1e9 }, { -5, 1e-3, 2 }, { 4, 4, 4 },
		{ 0, 1, 0.3 } };
	static const double vars[SEVERAL][FEATURES] = { { 1, 2, 3 }, { 0.1, 0, 1e9 }, { 5, 1e-3, 2 }, { 4, 4, 4 },
		{ 0, 1, 0.3 } };

	return (struct update){ .averaging = averaging,
		.momentum = 0.3,
		.ddof = 1,
		.count = 2 + (uint64_t)i,
		.features = FEATURES,
		.mean = means[i],
		.var = vars[i] };
}

static void
assert_same_statistics(struct store *s, const char *one, const char *other)
{
	const struct snapshot *a = store_layer_cached(
				  s, &(struct store_get){ .model = "m", .layer = one, .which = live }),
			      *b = store_layer_cached(
				  s, &(struct store_get){ .model = "m", .layer = other, .which = live });

	ck_assert(a != NULL && b != NULL);
	ck_assert_uint_eq(a->statistics.features, FEATURES);
	ck_assert_uint_eq(a->statistics.num_batches_tracked, b->statistics.num_batches_tracked);
	ck_assert_uint_eq(a->statistics.count, b->statistics.count);
	ck_assert_mem_eq(a->statistics.mean, b->statistics.mean, FEATURES * sizeof(double));
	ck_assert_mem_eq(a->statistics.var, b->statistics.var, FEATURES * sizeof(double));
	snapshot_unref(a);
	snapshot_unref(b);
}

static struct store_write
several(const char *layer, const struct update *updates, size_t count)
{
	return (
	    struct store_write){ .kind = STORE_UPDATE, .layer = layer, .updates = { .list = updates, .count = count } };
}

START_TEST(several_updates_are_one_change_with_the_bits_of_one_by_one)
{
	const enum averaging averaging = (enum averaging)_i;
	struct store *s = open_with_layers();
	struct update updates[SEVERAL];
	struct store_written result;

	for (int i = 0; i < SEVERAL; i++)
		updates[i] = update_number(i, averaging);
	for (int round = 1; round <= 3; round++) {
		result = scratch_write(s, several("l", updates, SEVERAL));
		ck_assert_uint_eq(result.revision, (unsigned)round);
		ck_assert_uint_eq(result.num_batches_tracked, (unsigned)(round * SEVERAL));
		for (int i = 0; i < SEVERAL; i++)
			result = scratch_write(s, several("other", &updates[i], 1));
		ck_assert_uint_eq(result.revision, (unsigned)(round * SEVERAL));
		assert_same_statistics(s, "l", "other");
	}
	store_close(s);
}
END_TEST

/*
 * Refused at each place, before anything was trained and after: what stood stands, to the bit, and the next one is
 * fine.
 */
START_TEST(several_updates_of_which_one_is_refused_leave_nothing)
{
	static const double huge[FEATURES] = { 1, INFINITY, 1 };
	struct store *s = open_with_layers();
	struct update updates[SEVERAL];
	const struct snapshot *layer;
	struct scratch_change c;

	for (int trained = 0; trained < 2; trained++) {
		for (int bad = 0; bad < SEVERAL; bad++) {
			for (int i = 0; i < SEVERAL; i++)
				updates[i] = update_number(i, AVERAGING_EXPONENTIAL);
			if (bad % 2 == 0)
				updates[bad].mean = huge;
			else
				updates[bad].features = FEATURES - 1;
			c = scratch_run_change(s, (struct scratch_change){ .write = several("l", updates, SEVERAL) });
			ck_assert_int_eq(c.op.err.code, bad % 2 == 0 ? ERR_NON_FINITE_INPUT : ERR_SHAPE_MISMATCH);
		}
		layer = store_layer_cached(s, &(struct store_get){ .model = "m", .layer = "l", .which = live });
		ck_assert_uint_eq(layer->revision, (unsigned)trained);
		ck_assert_uint_eq(layer->statistics.num_batches_tracked, (unsigned)trained);
		ck_assert(trained || (layer->statistics.features == 0 && layer->statistics.mean == NULL));
		snapshot_unref(layer);
		updates[0] = update_number(0, AVERAGING_EXPONENTIAL);
		(void)scratch_write(s, several("l", updates, 1));
		(void)scratch_write(s, several("other", updates, 1));
		assert_same_statistics(s, "l", "other");
	}
	store_close(s);
}
END_TEST

START_TEST(several_updates_under_a_key_are_made_once)
{
	struct store *s = open_with_layers();
	struct update updates[SEVERAL];
	struct scratch_change asked = { .op.change.key = "k", .write = several("l", updates, SEVERAL) }, c;

	for (int i = 0; i < SEVERAL; i++)
		updates[i] = update_number(i, AVERAGING_POOLED);
	for (int i = 0; i < 3; i++) {
		c = scratch_run_change(s, asked);
		ck_assert_int_eq(c.op.err.code, ERR_NONE);
		ck_assert_int_eq(c.op.change.repeated, i > 0);
		ck_assert_uint_eq(c.write.result.revision, 1);
		ck_assert_uint_eq(c.write.result.num_batches_tracked, SEVERAL);
	}
	asked.op.change.key_digest[0] = 1;
	c = scratch_run_change(s, asked);
	ck_assert_int_eq(c.op.err.code, ERR_IDEMPOTENCY_MISMATCH);
	store_close(s);
}
END_TEST

#define CROWD 40

/* Submitted at once, so that many share a batch: some are refused in their middle, between others of the same layer. */
START_TEST(several_updates_in_a_batch_with_others)
{
	static const double huge[FEATURES] = { 1, INFINITY, 1 };
	struct store *s = open_with_layers();
	static struct scratch_change ops[CROWD];
	struct update good[SEVERAL], bad[SEVERAL];
	uint64_t tracked = 0, revision = 0;

	for (int i = 0; i < SEVERAL; i++)
		good[i] = bad[i] = update_number(i, AVERAGING_CUMULATIVE);
	bad[3].mean = huge;
	for (int i = 0; i < CROWD; i++) {
		ops[i].write = several("l", i % 4 == 1 ? bad : good, i % 4 == 2 ? 1 : SEVERAL);
		scratch_submit_change(s, &ops[i]);
	}
	scratch_wait(CROWD);
	for (int i = 0; i < CROWD; i++) {
		if (i % 4 == 1) {
			ck_assert_int_eq(ops[i].op.err.code, ERR_NON_FINITE_INPUT);
			continue;
		}
		ck_assert_int_eq(ops[i].op.err.code, ERR_NONE);
		ck_assert_uint_eq(ops[i].write.result.revision, ++revision);
		ck_assert_uint_eq(ops[i].write.result.num_batches_tracked, tracked += ops[i].write.updates.count);
		for (size_t k = 0; k < ops[i].write.updates.count; k++)
			(void)scratch_write(s, several("other", &good[k], 1));
	}
	assert_same_statistics(s, "l", "other");
	store_close(s);
}
END_TEST

/* A save that fails between two lists leaves nothing of them for the next, which may be another layer's. */
START_TEST(a_save_that_fails_leaves_no_list_to_the_next)
{
	static const double two[2] = { 3, 4 }, many[200] = { 1 };
	struct err e = { 0 };
	const struct identity_common common = { .definitions = opaque_definitions };
	struct backend *b = sqlite_backend_open(scratch_path, NULL, &common, &e);
	struct layer_identity *a, *c;
	struct snapshot layer = { .weight = { two, 2 }, .bias = { many, 200 } };
	const struct store_write write_a = { .model = "m", .layer = "a", .create = { "d", 2, false } },
				 write_c = { .model = "m", .layer = "c", .create = { "d", 2, false } };
	const struct snapshot *found;
	struct inserted inserted;

	ck_assert_msg(b != NULL, "%s", e.detail);
	ck_assert(b->ops->insert(b, &write_a, 1, &inserted, &e) == 0);
	layer.identity = a = layer_identity_new(inserted.id, "m", "a", "d", &common, &e);
	sqlite3_limit(sqlite_self(b)->db, SQLITE_LIMIT_LENGTH, 1000);
	ck_assert_int_eq(b->ops->save(b, &layer, true, &e), -1);
	ck_assert(b->ops->insert(b, &write_c, 1, &inserted, &e) == 0);
	layer.identity = c = layer_identity_new(inserted.id, "m", "c", "d", &common, &e);
	layer.weight = layer.bias = (struct store_vector){ 0 };
	ck_assert_int_eq(b->ops->save(b, &layer, true, &e), 0);
	ck_assert_int_eq(b->ops->load(b, "m", "c", NULL, &found, &e), 0);
	ck_assert_ptr_null(found->weight.values);
	snapshot_unref(found);
	layer_identity_unref(a);
	layer_identity_unref(c);
	b->ops->close(b);
}
END_TEST

/* Leaves a large store as a kill would. */
static void
leave_unclean(void)
{
	static const char fill[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
				   "INSERT INTO history SELECT 1, i, 0, i, i, 0, 0, 0, 1, 1, 1, NULL FROM n";
	const pid_t child = fork();
	struct err e = { 0 };
	int status;

	if (child == 0)
		_exit(sqlite3_exec(sqlite_open(scratch_path, NULL, &e), fill, NULL, NULL, NULL) != SQLITE_OK);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

static void
count_call(void *arg)
{
	unsigned *calls = arg;

	++*calls;
}

START_TEST(opening_shows_its_progress)
{
	unsigned calls = 0;
	struct store_options options = { .opening = { count_call, &calls } };

	store_close(scratch_open_options(options));
	ck_assert_uint_lt(calls, 10); /* an empty store */
	leave_unclean();
	calls = 0;
	store_close(scratch_open_options(options));
	ck_assert_uint_gt(calls, 20); /* the whole file is looked at */
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, a_full_queue_is_overloaded_and_a_stopped_store_says_so);
	scratch_add_of_sqlite(t, a_save_that_fails_leaves_no_list_to_the_next);
	scratch_add_of_sqlite(t, opening_shows_its_progress);
	tcase_add_test(t, updates_are_applied_in_order_and_each_knows_its_number);
	tcase_add_loop_test(t, several_updates_are_one_change_with_the_bits_of_one_by_one, 0, AVERAGINGS);
	tcase_add_test(t, several_updates_of_which_one_is_refused_leave_nothing);
	tcase_add_test(t, several_updates_under_a_key_are_made_once);
	tcase_add_test(t, several_updates_in_a_batch_with_others);
	suite_add_tcase(s, t);
	return s;
}
