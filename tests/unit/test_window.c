/* SPDX-License-Identifier: MIT */
/* What a window of inference holds: what is added counts once, until the window begins anew. */
#include "tests/unit/window_store.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

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

/* An old row may have such large means, and no window counts beyond the end. */
START_TEST(what_cannot_be_merged_begins_a_window)
{
	const double huge[FEATURES] = { -1e308, 0, 0 }, vars[FEATURES] = { 0 };
	struct store *s = open_saving(NEVER_US);
	const struct snapshot *state;

	make_layer(s, "l");
	add(s, "l", 0, 1);
	check(s, "l", 0, 0, 0);
	add(s, "l", INT64_MAX, 1);
	add(s, "l", 7, 3);
	check(s, "l", 7, 3, 1);
	state = scratch_layer(s, "l");
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	store_window_add(state, &(struct moments){ 1, huge, vars });
	snapshot_unref(state);
	store_close(s);
	s = open_saving(NEVER_US);
	add(s, "l", 5, 2);
	check(s, "l", 5, 2, 1);
	store_close(s);
	s = open_saving(NEVER_US);
	check(s, "l", 5, 2, 1);
	/* A layer whose number of features is open. */
	scratch_create(s, "open");
	add(s, "open", 5, 1);
	check(s, "open", 0, 0, 0);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

START_TEST(a_layer_that_is_not_there_has_no_window)
{
	struct store *s = open_saving(NEVER_US);
	struct budget budget;
	struct budget_share share = { .budget = &budget };
	const struct snapshot *state;
	struct store_op op;

	make_layer(s, "l");
	op = scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = "none" } });
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_LAYER);
	store_op_fini(&op);
	op = scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "none", .layer = "l" } });
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_MODEL);
	store_op_fini(&op);
	state = scratch_layer(s, "l");
	for (int64_t other = 0; other < 2; other++) {
		op = scratch_run(s,
		    (struct store_op){ .kind = STORE_WINDOW_GET,
			.window = { .model = "m", .layer = "l", .layer_id = state->identity->id + other } });
		ck_assert_int_eq(op.err.code, other != 0 ? ERR_NO_SUCH_LAYER : ERR_NONE);
		store_op_fini(&op);
	}
	snapshot_unref(state);
	/* Nor is it shown where its lists have no room. */
	budget_init(&budget, 100);
	op = scratch_run(s,
	    (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = "l", .memory = &share } });
	ck_assert_int_eq(op.err.code, ERR_BODY_TOO_LARGE);
	store_op_fini(&op);
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

/* Whatever the layer is like, its state stays as it is. */
START_TEST(a_reset_needs_the_layer_and_nothing_else)
{
	struct store *s = open_saving(NEVER_US);
	struct scratch_change c;
	const struct snapshot *state;

	make_layer(s, "l");
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .frozen = true });
	add(s, "l", 10, 1);
	c = scratch_run_change(s, (struct scratch_change){ .write = { .kind = STORE_WINDOW_RESET, .layer = "none" } });
	ck_assert_int_eq(c.op.err.code, ERR_NO_SUCH_LAYER);
	c = scratch_run_change(s,
	    (struct scratch_change){ .write = { .kind = STORE_WINDOW_RESET,
					 .precondition = { .present = true, .count = 1, .revisions = { 99 } } } });
	ck_assert_int_eq(c.op.err.code, ERR_REVISION_MISMATCH);
	check(s, "l", 10, 1, 1);
	c = scratch_run_change(s, (struct scratch_change){ .write = { .kind = STORE_WINDOW_RESET } });
	ck_assert_int_eq(c.op.err.code, ERR_NONE);
	ck_assert_uint_eq(c.write.result.revision, 2);
	check(s, "l", 0, 0, 0);
	state = scratch_layer(s, "l");
	ck_assert_uint_eq(state->revision, 2);
	ck_assert(state->frozen && state->statistics.var[0] == 1);
	snapshot_unref(state);
	store_close(s);
}
END_TEST

/* A change of several writes whose last one is refused. */
START_TEST(a_reset_that_goes_back_was_none)
{
	struct store_write writes[] = { { .kind = STORE_WINDOW_RESET, .model = "m", .layer = "l" },
		{ .kind = STORE_STATISTICS_RESET, .model = "m", .layer = "none" } };
	struct store *s = open_saving(NEVER_US);
	struct store_op op;

	make_layer(s, "l");
	for (int saved = 0; saved < 2; saved++) {
		add(s, "l", 10, 1);
		if (saved) {
			store_close(s);
			s = open_saving(NEVER_US);
		}
		op = scratch_run(
		    s, (struct store_op){ .kind = STORE_CHANGE, .change = { .writes = writes, .count = 2 } });
		ck_assert_int_eq(op.err.code, ERR_NO_SUCH_LAYER);
		check(s, "l", saved ? 20 : 10, 1, 1);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count FROM drift_window"), 20);
}
END_TEST

static void
serve(struct store *s, const char *name)
{
	(void)scratch_write(s, (struct store_write){ .kind = STORE_SERVE, .version = { .name = name, .note = "" } });
}

START_TEST(a_switch_begins_all_windows_of_its_model)
{
	struct store *s = open_saving(NEVER_US);
	struct store_op op;

	make_layer(s, "l");
	make_layer(s, "other");
	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_LAYER_CREATE,
		.model = "n",
		.layer = "l",
		.create = { .definition = "d", .features = FEATURES } });
	ck_assert_uint_eq(scratch_make_version(s), 1);
	op = scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "n", .layer = "l" } });
	add_to(op.get.snapshot, 3, 1);
	store_op_fini(&op);
	for (int saved = 0; saved < 2; saved++) {
		add(s, "l", 10, 1);
		add(s, "other", 20, 1);
		if (saved) {
			store_close(s);
			s = open_saving(NEVER_US);
		}
		check(s, "l", 10, 1, 1);
		serve(s, saved ? "previous" : "1");
		check(s, "l", 0, 0, 0);
		check(s, "other", 0, 0, 0);
		add(s, "l", 5, 2);
		check(s, "l", 5, 2, 1);
		serve(s, saved ? "live" : "1"); /* which serves already */
		check(s, "l", 5, 2, 1);
		store_close(s);
		s = open_saving(NEVER_US);
		check(s, "l", 5, 2, 1);
		(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	}
	op = scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "n", .layer = "l" } });
	ck_assert_uint_eq(op.window.moments.count, 3);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* In one batch with values that are saved: they were there before. */
START_TEST(what_is_saved_with_a_switch_or_a_reset_came_before)
{
	struct store *s = open_saving(ALWAYS_US);

	make_layer(s, "l");
	ck_assert_uint_eq(scratch_make_version(s), 1);
	add(s, "l", 10, 1);
	serve(s, "1");
	check(s, "l", 0, 0, 0);
	add(s, "l", 20, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	check(s, "l", 0, 0, 0);
	add(s, "l", 30, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE });
	make_layer(s, "l");
	check(s, "l", 0, 0, 0);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM drift_window"), 0);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* A request that is under way when its layer is deleted adds to a window that nobody sees. */
START_TEST(a_window_goes_with_its_layer)
{
	struct store *s = open_saving(NEVER_US);
	const struct snapshot *old;

	for (int model = 0; model < 2; model++) {
		make_layer(s, "l");
		add(s, "l", 10, 1);
		old = scratch_layer(s, "l");
		(void)scratch_write(s, (struct store_write){ .kind = model ? STORE_MODEL_DELETE : STORE_LAYER_DELETE });
		add_to(old, 7, 1);
		make_layer(s, "l");
		check(s, "l", 0, 0, 0);
		add_to(old, 7, 1);
		add(s, "l", 3, 1);
		check(s, "l", 3, 1, 1);
		snapshot_unref(old);
		store_close(s);
		s = open_saving(NEVER_US);
		check(s, "l", 3, 1, 1);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM drift_window"), 1);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* Whichever version inference reads, the values are the layer's. */
START_TEST(versions_share_a_window)
{
	struct store *s = open_saving(NEVER_US);
	struct store_op op;

	make_layer(s, "l");
	ck_assert_uint_eq(scratch_make_version(s), 1);
	for (int restarted = 0; restarted < 2; restarted++) {
		(void)scratch_write(s, (struct store_write){ .kind = STORE_STATISTICS_RESET });
		op = scratch_run(s,
		    (struct store_op){ .kind = STORE_LAYER_GET,
			.get = { .model = "m", .layer = "l", .which = { STORE_NAMED, .name = "1" } } });
		ck_assert_uint_eq(op.get.snapshot->version, 1);
		add_to(op.get.snapshot, 10, 1);
		store_op_fini(&op);
		add(s, "l", 10, 1);
		check(s, "l", restarted ? 40 : 20, 1, 1);
		store_close(s);
		s = open_saving(NEVER_US);
	}
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, what_is_added_is_read_at_once);
	tcase_add_test(t, what_cannot_be_merged_begins_a_window);
	tcase_add_test(t, a_layer_that_is_not_there_has_no_window);
	tcase_add_test(t, a_reset_begins_a_window);
	tcase_add_test(t, a_reset_needs_the_layer_and_nothing_else);
	tcase_add_test(t, a_reset_that_goes_back_was_none);
	tcase_add_test(t, a_switch_begins_all_windows_of_its_model);
	tcase_add_test(t, what_is_saved_with_a_switch_or_a_reset_came_before);
	tcase_add_test(t, a_window_goes_with_its_layer);
	tcase_add_test(t, versions_share_a_window);
	suite_add_tcase(s, t);
	return s;
}
