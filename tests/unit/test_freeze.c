/* SPDX-License-Identifier: MIT */
/* Freezing, within a batch and beside keys. tests/unit/test_change.c has it among writes of every other kind. */
#include <semaphore.h>

#include "tests/unit/gate.h"
#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

#define FEATURES 2

static double two[FEATURES] = { 3, 4 }, ones[FEATURES] = { 1, 1 };
static const struct update update = {
	.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = FEATURES, .mean = two, .var = ones
};

static void
make_layers(struct store *s)
{
	scratch_create(s, "old");
	scratch_create(s, "open");
	scratch_create(s, "gone");
	(void)scratch_write(s,
	    (struct store_write){
		.kind = STORE_LAYER_CREATE, .model = "still", .layer = "a", .create.definition = "d" });
	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_UPDATE, .layer = "old", .updates = { .list = &update, .count = 1 } });
}

static void
assert_layer(struct store *s, const char *model, const char *layer, uint64_t revision, bool frozen)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = model, .layer = layer } });

	ck_assert_ptr_nonnull(op.get.snapshot);
	ck_assert_uint_eq(op.get.snapshot->revision, revision);
	ck_assert_int_eq(op.get.snapshot->frozen, frozen);
	store_op_fini(&op);
}

/* What shares a batch with the freezing of a model, in the order of the array. */
#define SHARING 9
START_TEST(a_model_is_frozen_between_the_changes_before_and_after_it)
{
	static const struct store_write asked[SHARING] = {
		{ .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &update, .count = 1 } },
		{ .kind = STORE_FREEZE, .model = "m", .layer = "gone", .frozen = true },
		{ .kind = STORE_LAYER_CREATE,
		    .model = "m",
		    .layer = "before",
		    .create = { .definition = "d", .features = FEATURES } },
		{ .kind = STORE_MODEL_FREEZE, .model = "m", .frozen = true },
		{ .kind = STORE_LAYER_CREATE,
		    .model = "m",
		    .layer = "after",
		    .create = { .definition = "d", .features = FEATURES } },
		{ .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &update, .count = 1 } },
		{ .kind = STORE_UPDATE, .model = "m", .layer = "open", .updates = { .list = &update, .count = 1 } },
		{ .kind = STORE_UPDATE, .model = "m", .layer = "before", .updates = { .list = &update, .count = 1 } },
		{ .kind = STORE_UPDATE, .model = "m", .layer = "after", .updates = { .list = &update, .count = 1 } },
	};
	struct store *s = scratch_open();
	struct scratch_change changes[SHARING] = { 0 };
	struct gate gate;
	struct store_op stop = gate_init(&gate);

	make_layers(s);
	scratch_submit(s, &stop);
	sem_wait(&gate.reached);
	for (int i = 0; i < SHARING; i++) {
		changes[i].write = asked[i];
		scratch_submit_change(s, &changes[i]);
	}
	sem_post(&gate.open);
	scratch_wait(SHARING);
	for (int i = 0; i < SHARING; i++)
		ck_assert_int_eq(changes[i].op.err.code, i >= 5 && i <= 7 ? ERR_FROZEN : ERR_NONE);
	ck_assert_uint_eq(changes[3].write.result.layers, 4);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_layer(s, "m", "old", 3, true);
		assert_layer(s, "m", "open", 1, true);
		assert_layer(s, "m", "gone", 1, true);
		assert_layer(s, "m", "before", 1, true);
		assert_layer(s, "m", "after", 1, false);
		assert_layer(s, "still", "a", 0, false);
		store_close(s);
		s = scratch_open();
	}
	store_close(s);
	for (int i = 0; i < SHARING; i++)
		store_op_fini(&changes[i].op);
	store_op_fini(&stop);
	gate_fini(&gate);
}
END_TEST

static void
freeze(struct store *s, bool frozen)
{
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .layer = "old", .frozen = frozen });
}

/* Without updates a write only asks: on a frozen layer too, and the key stays free. */
START_TEST(a_key_can_be_asked_for_on_a_frozen_layer)
{
	struct store *s = scratch_open();
	const struct scratch_change ask = { .op.change.key = "k", .write = { .kind = STORE_UPDATE, .layer = "old" } };
	const struct scratch_change train = { .op.change.key = "k",
		.write = { .kind = STORE_UPDATE, .layer = "old", .updates = { .list = &update, .count = 1 } } };
	struct scratch_change c;

	make_layers(s);
	for (int used = 0; used < 2; used++) {
		for (int frozen = 0; frozen < 2; frozen++) {
			freeze(s, frozen == 1);
			c = scratch_run_change(s, ask);
			ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
			ck_assert_int_eq(c.op.change.repeated, used);
			ck_assert_uint_eq(c.write.result.num_batches_tracked, 1 + (uint64_t)used);
		}
		c = scratch_run_change(s, train);
		ck_assert_int_eq(c.op.err.code, used ? ERR_NONE : ERR_FROZEN);
		freeze(s, false);
		c = scratch_run_change(s, train);
		ck_assert(c.op.err.code == ERR_NONE && c.op.change.repeated == used);
	}
	assert_layer(s, "m", "old", 6, false);
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("freeze");
	TCase *t = tcase_create("freeze");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, a_model_is_frozen_between_the_changes_before_and_after_it);
	tcase_add_test(t, a_key_can_be_asked_for_on_a_frozen_layer);
	suite_add_tcase(s, t);
	return s;
}
