/* SPDX-License-Identifier: MIT */
/* Windows of inference: what is added counts once, whenever it is saved, and until the window begins anew. */
#include "storage/windows.h"

#include <math.h>
#include <string.h>

#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

#define FEATURES 3

/* No window is saved in time: only when the store closes. */
#define NEVER_US ((uint64_t)3600 * 1000000)

/* With each batch. */
#define ALWAYS_US 1

static struct store *
open_saving(uint64_t interval_us)
{
	return scratch_open_options(
	    (struct store_options){ .queue_max = SCRATCH_QUEUE_MAX, .windows_interval_us = interval_us });
}

/* A layer with statistics of mean 0 and variance 1, and FEATURES of them. */
static void
make_layer(struct store *s, const char *layer)
{
	double mean[FEATURES] = { 0 }, var[FEATURES] = { 1, 1, 1 };
	const struct statistics put = { .features = FEATURES, .mean = mean, .var = var };

	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_LAYER_CREATE, .layer = layer, .create = { "d", FEATURES } });
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_STATISTICS_PUT, .layer = layer, .statistics = &put });
}

/* `count` values of each feature: half of them `mean` - 1, half of them `mean` + 1. */
static void
add_to(const struct snapshot *state, uint64_t count, double mean)
{
	const double means[FEATURES] = { mean, 2 * mean, -mean }, vars[FEATURES] = { 1, 1, 1 };

	store_window_add(state, &(struct moments){ count, means, vars });
}

static void
add(struct store *s, const char *layer, uint64_t count, double mean)
{
	const struct snapshot *state = scratch_layer(s, layer);

	ck_assert_ptr_nonnull(state);
	add_to(state, count, mean);
	snapshot_unref(state);
}

static struct store_op
get(struct store *s, const char *layer)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = layer } });

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	return op;
}

static void
check(struct store *s, const char *layer, uint64_t count, double mean, double var)
{
	struct store_op op = get(s, layer);
	const struct moments *m = &op.window.moments;

	ck_assert_uint_eq(m->count, count);
	if (count > 0) {
		ck_assert_double_eq_tol(m->mean[0], mean, 1e-12);
		ck_assert_double_eq_tol(m->mean[1], 2 * mean, 1e-12);
		ck_assert_double_eq_tol(m->mean[2], -mean, 1e-12);
		ck_assert_double_eq_tol(m->var[0], var, 1e-12);
		ck_assert_int_gt(op.window.since_s, 0);
	} else {
		ck_assert(m->mean == NULL && m->var == NULL);
	}
	store_op_fini(&op);
}

START_TEST(what_is_added_is_read_at_once)
{
	struct store *s = open_saving(NEVER_US);

	make_layer(s, "l");
	make_layer(s, "other");
	check(s, "l", 0, 0, 0);
	add(s, "l", 10, 1);
	check(s, "l", 10, 1, 1);
	add(s, "l", 30, 5);
	/* 10 values of mean 1 and 30 of mean 5: mean 4, variance 1 + 3. */
	check(s, "l", 40, 4, 4);
	check(s, "other", 0, 0, 0);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count FROM drift_window"), 40);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	s = open_saving(NEVER_US);
	check(s, "l", 40, 4, 4);
	add(s, "l", 40, 4);
	check(s, "l", 80, 4, 2.5);
	store_close(s);
	s = open_saving(NEVER_US);
	check(s, "l", 80, 4, 2.5);
	store_close(s);
}
END_TEST

START_TEST(a_reset_begins_a_window)
{
	struct store *s = open_saving(NEVER_US);

	make_layer(s, "l");
	add(s, "l", 10, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	check(s, "l", 0, 0, 0);
	add(s, "l", 7, 3);
	check(s, "l", 7, 3, 1);
	store_close(s);
	s = open_saving(NEVER_US);
	check(s, "l", 7, 3, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	store_close(s);
	s = open_saving(NEVER_US);
	check(s, "l", 0, 0, 0);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, what_is_added_is_read_at_once);
	tcase_add_test(t, a_reset_begins_a_window);
	suite_add_tcase(s, t);
	return s;
}
