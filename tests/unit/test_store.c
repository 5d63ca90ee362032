/* The store's door: what it answers when it is full, when it stops, and that updates in one batch are applied in order. */
#include "tests/unit/unit.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/store.h"

static char directory[] = "/tmp/normd-unit-XXXXXX";
static char url[64];

/* Definitions are opaque to the store: here any text will do. */
static const void *
parse(const char *text, struct err *e)
{
	(void)e;
	return text;
}

static void
no_free(const void *parsed)
{
	(void)parsed;
}

static struct store *
open_store(size_t queue_max)
{
	struct store_options options = {
		.url = url, .queue_max = queue_max, .cache_bytes_max = 1 << 20, .definitions = { parse, no_free }
	};
	struct err e = { 0 };
	struct store *s = store_open(&options, &e);

	ck_assert_msg(s != NULL, "%s", e.detail);
	return s;
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(url, sizeof(url), "sqlite:%s/s.db", directory);
}

static void
teardown(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/s.db", directory);
	unlink(path);
	rmdir(directory);
}

static void
post(struct store_op *op)
{
	sem_post(op->done_arg);
}

START_TEST(test_a_full_queue_is_overloaded_and_a_stopped_store_says_so)
{
	struct store *s = open_store(0);
	struct store_op op = { .kind = STORE_MODEL_LIST, .limit = 1, .done = post };
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

START_TEST(test_updates_are_applied_in_order_and_each_knows_its_number)
{
	struct store *s = open_store(1000);
	static struct store_op ops[UPDATES];
	static struct update updates[UPDATES];
	static double means[UPDATES];
	const double var = 1;
	double mean = 0;
	struct store_op create = { .kind = STORE_LAYER_CREATE, .model = "m", .layer = "l", .definition = "d", .done = post };
	struct err e = { 0 };
	const struct layer *layer;
	sem_t sem;

	sem_init(&sem, 0, 0);
	create.done_arg = &sem;
	ck_assert_int_eq(store_submit(s, &create, &e), 0);
	for (int i = 0; i < UPDATES; i++) {
		means[i] = i * 0.1;
		mean = 0.75 * mean + 0.25 * means[i];
		updates[i] = (struct update){ .averaging = AVERAGING_EXPONENTIAL,
			.momentum = 0.25,
			.count = 2,
			.features = 1,
			.mean = &means[i],
			.var = &var };
		ops[i] = (struct store_op){
			.kind = STORE_UPDATE, .model = "m", .layer = "l", .update = &updates[i], .done = post, .done_arg = &sem
		};
		ck_assert_int_eq(store_submit(s, &ops[i], &e), 0);
	}
	for (int i = 0; i < UPDATES + 1; i++)
		sem_wait(&sem);
	ck_assert(create.created);
	for (int i = 0; i < UPDATES; i++) {
		ck_assert_int_eq(ops[i].err.code, ERR_NONE);
		ck_assert_uint_eq(ops[i].num_batches_tracked, (unsigned)i + 1);
		ck_assert_uint_eq(ops[i].revision, (unsigned)i + 1);
	}
	layer = store_layer_cached(s, "m", "l");
	ck_assert_ptr_nonnull(layer);
	ck_assert(layer->statistics.mean[0] == mean);
	layer_unref(layer);
	store_op_fini(&create);
	store_close(s);
	sem_destroy(&sem);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_a_full_queue_is_overloaded_and_a_stopped_store_says_so);
	tcase_add_test(t, test_updates_are_applied_in_order_and_each_knows_its_number);
	suite_add_tcase(s, t);
	return s;
}
