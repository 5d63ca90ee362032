/* SPDX-License-Identifier: MIT */
/*
 * Several layers in one committed state: from the cache, all or none, and from the store; that nobody sees half of a
 * change; and the keys of changes of which some writes only ask.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/scratch_store.h"

#define FEATURES 2

static const double mean[FEATURES] = { 3, 4 }, var[FEATURES] = { 1, 1 };
static const struct update update = {
	.averaging = AVERAGING_POOLED, .count = 4, .features = FEATURES, .mean = mean, .var = var
};

#define LAYERS 3
static const char *const names[LAYERS] = { "a", "b", "c" };

/* A change that trains all layers but those of `frozen`'s letters, whose writes only ask. */
struct training {
	struct store_write writes[LAYERS];
	struct store_op op;
};

static void
make_training(struct training *t, const char *frozen, const char *key)
{
	*t = (struct training){ .op = { .kind = STORE_CHANGE } };
	for (int i = 0; i < LAYERS; i++)
		t->writes[i] = (struct store_write){ .kind = STORE_UPDATE,
			.model = "m",
			.layer = names[i],
			.updates = { .list = &update, .count = strchr(frozen, *names[i]) == NULL } };
	t->op.change.writes = t->writes;
	t->op.change.count = LAYERS;
	t->op.change.key = key;
}

static struct training
train(struct store *s, const char *frozen, const char *key)
{
	struct training t;

	make_training(&t, frozen, key);
	t.op = scratch_run(s, t.op);
	t.op.change.writes = NULL;
	return t;
}

static struct store *
open_with_layers(void)
{
	struct store *s = scratch_open();

	for (int i = 0; i < LAYERS; i++)
		scratch_create(s, names[i]);
	return s;
}

static void
release(const struct snapshot *found[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_unref(found[i]);
	memset(found, 0, count * sizeof(struct snapshot *));
}

/* From the cache, else from the store. */
static enum err_code
read_all(struct store *s, struct store_layers *layers, bool cached)
{
	struct store_op op = { .kind = STORE_LAYERS_GET, .layers = *layers };

	if (cached)
		return store_layers_cached(s, layers) ? ERR_NONE : ERR_COUNT;
	return scratch_run(s, op).err.code;
}

START_TEST(layers_are_read_in_the_order_of_their_names)
{
	static const char *const mixed[] = { "c", "a", "a", "b" };
	struct store *s = open_with_layers();
	const struct snapshot *found[4] = { 0 };
	struct store_layers layers = { "m", mixed, 4, .snapshots = found };

	for (int cached = 0; cached < 2; cached++) {
		ck_assert_int_eq(read_all(s, &layers, cached), ERR_NONE);
		for (int i = 0; i < 4; i++)
			ck_assert(found[i] != NULL && strcmp(found[i]->identity->name, mixed[i]) == 0);
		release(found, 4);
	}
	store_close(s);
}
END_TEST

START_TEST(one_layer_that_is_not_there_fails_all)
{
	static const char *const some[] = { "a", "none", "b" };
	struct store *s = open_with_layers();
	const struct snapshot *found[3] = { 0 };
	struct store_op op = { .kind = STORE_LAYERS_GET, .layers = { "m", some, 3, .snapshots = found } };

	ck_assert(!store_layers_cached(s, &op.layers));
	ck_assert(found[0] == NULL && found[1] == NULL && found[2] == NULL);
	op = scratch_run(s, op);
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_LAYER);
	ck_assert_ptr_nonnull(strstr(op.err.detail, "\"none\""));
	store_op_fini(&op);
	ck_assert(found[0] == NULL && found[1] == NULL);
	op = scratch_run(
	    s, (struct store_op){ .kind = STORE_LAYERS_GET, .layers = { "n", some, 1, .snapshots = found } });
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_MODEL);
	store_close(s);
}
END_TEST

/* A version has layers of its own, and an alias may be unknown. */
START_TEST(layers_of_a_version)
{
	struct store *s = open_with_layers();
	const struct snapshot *found[LAYERS] = { 0 };
	struct store_layers layers = { "m", names, LAYERS, { STORE_NAMED, .name = "1" }, .snapshots = found };
	struct scratch_change pin = { .write.kind = STORE_PIN }, made;
	unsigned char digest[SHA256_BYTES] = { 0 };

	(void)train(s, "", NULL);
	pin = scratch_run_change(s, pin);
	made =
	    (struct scratch_change){ .write = { .kind = STORE_VERSION_MAKE,
					 .version = { .note = "", .digest = digest, .pin = pin.write.version.pin } } };
	made = scratch_run_change(s, made);
	ck_assert_msg(made.op.err.code == ERR_NONE, "%s", made.op.err.detail);
	store_pin_release(pin.write.version.pin);
	(void)train(s, "", NULL);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE, .layer = "c" });
	for (int cached = 0; cached < 2; cached++) {
		ck_assert_int_eq(read_all(s, &layers, cached), ERR_NONE);
		for (int i = 0; i < LAYERS; i++)
			ck_assert(found[i] != NULL && found[i]->version == 1 && found[i]->revision == 1);
		release(found, LAYERS);
	}
	layers.which.name = "live";
	ck_assert_int_eq(read_all(s, &layers, false), ERR_NO_SUCH_LAYER);
	release(found, LAYERS);
	layers.which.name = "2";
	ck_assert_int_eq(read_all(s, &layers, false), ERR_NO_SUCH_VERSION);
	layers.which.name = "champion";
	ck_assert_int_eq(read_all(s, &layers, false), ERR_NO_SUCH_ALIAS);
	store_close(s);
}
END_TEST

/* More than the cache holds: the store has it all, the cache all or none. */
#define WIDE 6000
#define MANY 16

START_TEST(more_layers_than_the_cache_holds)
{
	static const char *const many[MANY] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
		"13", "14", "15" };
	static double zeros[WIDE], ones[WIDE];
	const struct statistics put = { WIDE, 5, 0, zeros, ones, 0 };
	struct store *s = scratch_open();
	const struct snapshot *found[MANY] = { 0 };
	struct store_layers layers = { "m", many, MANY, .snapshots = found };

	for (int i = 0; i < MANY; i++) {
		scratch_create(s, many[i]);
		(void)scratch_write(
		    s, (struct store_write){ .kind = STORE_STATISTICS_PUT, .layer = many[i], .statistics = &put });
	}
	ck_assert_int_eq(read_all(s, &layers, true), ERR_COUNT);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_null(found[i]);
	ck_assert_int_eq(read_all(s, &layers, false), ERR_NONE);
	for (int i = 0; i < MANY; i++)
		ck_assert(found[i]->revision == 1 && found[i]->statistics.features == WIDE);
	release(found, MANY);
	store_close(s);
}
END_TEST

/* Nobody sees half of a change. */

#define CHANGES 1500

struct readers {
	struct store *store;
	atomic_bool stop;
	atomic_uint reads;
};

static void *
read_often(void *arg)
{
	struct readers *r = arg;
	const struct snapshot *found[LAYERS] = { 0 };
	struct store_layers layers = { "m", names, LAYERS, .snapshots = found };
	uint64_t last = 0;

	while (!atomic_load(&r->stop)) {
		if (!store_layers_cached(r->store, &layers))
			continue;
		for (int i = 1; i < LAYERS; i++)
			ck_assert_uint_eq(found[i]->revision, found[0]->revision);
		ck_assert_uint_ge(found[0]->revision, last);
		last = found[0]->revision;
		release(found, LAYERS);
		atomic_fetch_add(&r->reads, 1);
	}
	return NULL;
}

/* Changes of all layers, many in a batch, while two threads read from the cache and the store is asked now and then. */
START_TEST(nobody_sees_half_of_a_change)
{
	static struct training changes[CHANGES];
	struct readers r = { .store = open_with_layers() };
	const struct snapshot *found[LAYERS] = { 0 };
	struct store_layers layers = { "m", names, LAYERS, .snapshots = found };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_often, &r), 0);
	for (int i = 0; i < CHANGES; i++) {
		make_training(&changes[i], "", NULL);
		scratch_submit(r.store, &changes[i].op);
		if (i % 100 != 99)
			continue;
		scratch_wait(100);
		ck_assert_int_eq(read_all(r.store, &layers, false), ERR_NONE);
		for (int k = 0; k < LAYERS; k++)
			ck_assert_uint_eq(found[k]->revision, (unsigned)i + 1);
		release(found, LAYERS);
	}
	while (atomic_load(&r.reads) == 0)
		;
	atomic_store(&r.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	store_close(r.store);
}
END_TEST

/* Keys of changes of which some writes only ask. */

static void
assert_trained(const struct training *t, bool repeated, const char *frozen, const uint64_t revisions[LAYERS])
{
	ck_assert_msg(t->op.err.code == ERR_NONE, "%s", t->op.err.detail);
	ck_assert_int_eq(t->op.change.repeated, repeated);
	for (int i = 0; i < LAYERS; i++) {
		ck_assert_uint_eq(t->writes[i].result.revision, revisions[i]);
		ck_assert_int_eq(t->writes[i].result.asked, repeated && strchr(frozen, *names[i]) != NULL);
	}
}

static void
freeze(struct store *s, const char *layer, bool frozen)
{
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .layer = layer, .frozen = frozen });
}

START_TEST(a_repeat_is_found_after_layers_were_frozen_and_thawed)
{
	static const uint64_t first[LAYERS] = { 1, 1, 1 };
	static const char *const then[] = { "b", "", "ac", "abc" };
	struct store *s = open_with_layers();
	struct training t;

	freeze(s, "b", true);
	t = train(s, "b", "k");
	assert_trained(&t, false, "b", first);
	freeze(s, "b", false);
	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++) {
		t = train(s, then[i], "k");
		assert_trained(&t, true, "b", first);
	}
	store_close(s);
	s = scratch_open();
	t = train(s, "", "k");
	assert_trained(&t, true, "b", first);
	t = train(s, "", "l");
	assert_trained(&t, false, "", (const uint64_t[LAYERS]){ 2, 3, 2 });
	store_close(s);
}
END_TEST

START_TEST(a_key_of_which_nothing_came_is_free)
{
	struct store *s = open_with_layers();
	struct training t = train(s, "abc", "k");

	assert_trained(&t, false, "", (const uint64_t[LAYERS]){ 0, 0, 0 });
	t = train(s, "", "k");
	assert_trained(&t, false, "", (const uint64_t[LAYERS]){ 1, 1, 1 });
	store_close(s);
}
END_TEST

START_TEST(another_body_under_the_key_is_a_mismatch_also_where_it_only_asks)
{
	struct store *s = open_with_layers();
	struct training t = train(s, "b", "k");

	ck_assert_int_eq(t.op.err.code, ERR_NONE);
	for (int i = 0; i < 2; i++) {
		make_training(&t, i == 0 ? "abc" : "", "k");
		t.op.change.key_digest[0] = 1;
		t.op = scratch_run(s, t.op);
		ck_assert_int_eq(t.op.err.code, ERR_IDEMPOTENCY_MISMATCH);
	}
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("layers");
	TCase *t = tcase_create("layers");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, layers_are_read_in_the_order_of_their_names);
	tcase_add_test(t, one_layer_that_is_not_there_fails_all);
	tcase_add_test(t, layers_of_a_version);
	tcase_add_test(t, more_layers_than_the_cache_holds);
	tcase_add_test(t, nobody_sees_half_of_a_change);
	tcase_add_test(t, a_repeat_is_found_after_layers_were_frozen_and_thawed);
	tcase_add_test(t, a_key_of_which_nothing_came_is_free);
	tcase_add_test(t, another_body_under_the_key_is_a_mismatch_also_where_it_only_asks);
	suite_add_tcase(s, t);
	return s;
}
