/* SPDX-License-Identifier: MIT */
/* The plan of a batch: what it names, in order and without doubles. And how entries of the cache grow old. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "storage/batch.h"
#include "storage/snapshot.h"
#include "tests/unit/opaque.h"

static struct arena arena;
static struct cache *cache;

static void
setup(void)
{
	arena_init(&arena, SIZE_MAX);
	cache = cache_new(1 << 20);
	ck_assert_ptr_nonnull(cache);
}

static void
teardown(void)
{
	arena_fini(&arena);
	cache_free(cache);
}

static struct store_write
write_to(const char *model, const char *layer)
{
	return (struct store_write){ .kind = STORE_FREEZE, .model = model, .layer = layer };
}

static struct store_op
change(struct store_write *writes, size_t count, const char *key, struct store_op *next)
{
	return (struct store_op){
		.kind = STORE_CHANGE, .change = { .writes = writes, .count = count, .key = key }, .next = next
	};
}

static void
assert_layer(const struct batch_plan *plan, size_t i, const char *model, const char *name)
{
	ck_assert_str_eq(plan->layers[i].model, model);
	ck_assert_str_eq(plan->layers[i].name, name);
	ck_assert_uint_eq(plan_find_layer(plan, model, name), i);
}

START_TEST(changes_in_order_without_doubles)
{
	struct store_write one[] = { write_to("b", "x"), write_to("a", "z"), write_to("b", "x") },
			   two[] = { write_to("a", "z") },
			   whole[] = { { .kind = STORE_MODEL_FREEZE, .model = "b", .layer = "not one" } };
	struct store_op third = change(whole, 1, "k2", NULL), second = change(two, 1, "k1", &third),
			first = change(one, 3, "k2", &second);
	struct batch_plan plan;
	struct err e;

	ck_assert_int_eq(plan_changes(&plan, &first, NULL, 0, cache, &arena, &e), 0);
	ck_assert_uint_eq(plan.layer_count, 2);
	assert_layer(&plan, 0, "a", "z");
	assert_layer(&plan, 1, "b", "x");
	ck_assert_uint_eq(plan_find_layer(&plan, "b", "not one"), plan.layer_count);
	ck_assert_uint_eq(plan.model_count, 2);
	ck_assert_uint_eq(plan_find_model(&plan, "a"), 0);
	ck_assert(!plan.models[0].whole && plan.models[1].whole);
	ck_assert_uint_eq(plan_find_model(&plan, "c"), plan.model_count);
	ck_assert_uint_eq(plan.key_count, 3);
	ck_assert_uint_eq(plan_find_key(&plan, 0, "k1"), 0);
	ck_assert_uint_eq(plan_find_key(&plan, 0, "k2"), 1);
	ck_assert_uint_eq(plan_find_key(&plan, 1, "k2"), 2);
	ck_assert_uint_eq(plan_find_key(&plan, 1, "k1"), plan.key_count);
	plan_fini(&plan);
}
END_TEST

START_TEST(reads)
{
	const char *names[] = { "y", "x" };
	struct store_op other = { .kind = STORE_MODEL_LIST },
			several = { .kind = STORE_LAYERS_GET,
				.layers = { .model = "m", .names = names, .count = 2 },
				.next = &other },
			one = { .kind = STORE_LAYER_GET, .get = { .model = "m", .layer = "x" }, .next = &several };
	struct batch_plan plan;
	struct err e;

	ck_assert_int_eq(plan_reads(&plan, &one, cache, &arena, &e), 0);
	ck_assert_uint_eq(plan.layer_count, 2);
	assert_layer(&plan, 0, "m", "x");
	assert_layer(&plan, 1, "m", "y");
	ck_assert_uint_eq(plan.model_count, 1);
	ck_assert_uint_eq(plan.key_count, 0);
	plan_fini(&plan);
	ck_assert_int_eq(plan_reads(&plan, &other, cache, &arena, &e), 0);
	ck_assert_uint_eq(plan.layer_count, 0);
	plan_fini(&plan);
}
END_TEST

/* Not fresh any more, an entry is found by those alone who take any; by all while the database is away. */
START_TEST(entries_grow_old)
{
	const struct identity_common common = { .definitions = opaque_definitions };
	struct err e;
	struct layer_identity *identity = layer_identity_new(1, "m", "l", "d", &common, &e);
	const struct snapshot *made = snapshot_new(&(struct snapshot){ .identity = identity, .revision = 3 });
	struct store_get get = { .model = "m", .layer = "l" };

	cache_share(cache, 1);
	cache_asks(cache);
	cache_put(cache, made);
	cache_put_pointer(cache, "m", "", (struct pointer){ .number = 4 });
	clock_sleep_us(1000);
	ck_assert_ptr_null(cache_get(cache, "m", "l", 0));
	ck_assert_ptr_null(cache_get_which(cache, &get));
	ck_assert(!cache_get_pointer(cache, "m", "", &(struct pointer){ 0 }));
	ck_assert_ptr_eq(cache_get_any(cache, "m", "l", 0), made);
	snapshot_unref(made);
	cache_set_away(cache, true);
	ck_assert_ptr_eq(cache_get_which(cache, &get), made);
	snapshot_unref(made);
	ck_assert_uint_ge(get.age_us, 1000);
	get.min_revision = 4;
	ck_assert_ptr_null(cache_get_which(cache, &get));
	cache_set_away(cache, false);
	cache_share(cache, UINT64_MAX);
	get.min_revision = 3;
	ck_assert_ptr_eq(cache_get_which(cache, &get), made);
	ck_assert_uint_eq(get.age_us, 0);
	snapshot_unref(made);
	snapshot_unref(made);
	layer_identity_unref(identity);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, changes_in_order_without_doubles);
	tcase_add_test(t, reads);
	tcase_add_test(t, entries_grow_old);
	suite_add_tcase(suite, t);
	return suite;
}
