/* SPDX-License-Identifier: MIT */
/* Drift in histories: which rows inference makes, and since when windows are. The store's clock is the test's own. */
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/history.h"
#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

#define INTERVAL 60
#define BEGAN INT64_C(1700000000)
#define FEATURES 2

static _Atomic int64_t now_s;

int64_t __wrap_clock_realtime_s(void);

int64_t
__wrap_clock_realtime_s(void)
{
	return atomic_load(&now_s);
}

/* Windows are saved with each batch, or only when the store closes. */
static struct store *
open_at(int64_t second, bool saves)
{
	atomic_store(&now_s, second);
	return scratch_open_options((struct store_options){ .queue_max = SCRATCH_QUEUE_MAX,
	    .history_interval_s = INTERVAL,
	    .windows_interval_us = saves ? 1 : (uint64_t)3600 * 1000000 });
}

/* The running means become `mean` and twice that, the variances 1. */
static void
train(struct store *s, double mean, int64_t second)
{
	double means[FEATURES] = { mean, 2 * mean }, ones[FEATURES] = { 1, 1 };
	const struct update update = { .averaging = AVERAGING_EXPONENTIAL,
		.momentum = 1,
		.count = 4,
		.features = FEATURES,
		.mean = means,
		.var = ones };

	atomic_store(&now_s, second);
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_UPDATE, .updates = { .list = &update, .count = 1 } });
}

static void
add(struct store *s, uint64_t count, double mean, int64_t second)
{
	const double means[FEATURES] = { mean, 2 * mean }, ones[FEATURES] = { 1, 1 };
	const struct snapshot *state = scratch_layer(s, "l");

	atomic_store(&now_s, second);
	store_window_add(state, &(struct moments){ count, means, ones });
	snapshot_unref(state);
}

/* A write to another model, with whose batch the windows are saved. */
static void
save(struct store *s, int64_t second)
{
	atomic_store(&now_s, second);
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_LAYER_CREATE, .model = "n", .create.definition = "d" });
}

static struct store_op
list(struct store *s)
{
	struct store_op op = scratch_run(
	    s, (struct store_op){ .kind = STORE_HISTORY_GET, .history = { .model = "m", .layer = "l", .limit = 100 } });

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	return op;
}

static int64_t
since(struct store *s)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = "l" } });
	const int64_t since_s = op.window.since_s;

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	store_op_fini(&op);
	return since_s;
}

static int64_t
beginning(void)
{
	int64_t s = BEGAN;

	while (history_interval(1, s, INTERVAL) == history_interval(1, s - 1, INTERVAL))
		s++;
	return s;
}

START_TEST(a_window_is_since_its_first_value_a_switch_or_a_reset)
{
	struct store *s = open_at(BEGAN, false);

	scratch_create(s, "l");
	train(s, 0, BEGAN);
	ck_assert_int_eq(since(s), 0);
	add(s, 1, 0, BEGAN + 1);
	add(s, 1, 0, BEGAN + 2);
	ck_assert_int_eq(since(s), BEGAN + 1);
	store_close(s);
	s = open_at(BEGAN + 3, false);
	ck_assert_int_eq(since(s), BEGAN + 1);
	add(s, 1, 0, BEGAN - 9); /* the clock was set back */
	ck_assert_int_eq(since(s), BEGAN + 1);
	add(s, 1, 0, BEGAN + 4);
	ck_assert_int_eq(since(s), BEGAN + 1);
	atomic_store(&now_s, BEGAN + 5);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	add(s, 1, 0, BEGAN + 6);
	ck_assert_int_eq(since(s), BEGAN + 5);
	store_close(s);
	s = open_at(BEGAN + 7, false);
	ck_assert_int_eq(since(s), BEGAN + 5);
	ck_assert_uint_eq(scratch_make_version(s), 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_SERVE, .version = { .name = "1", .note = "" } });
	ck_assert_int_eq(since(s), BEGAN + 7);
	add(s, 1, 0, BEGAN + 8);
	ck_assert_int_eq(since(s), BEGAN + 7);
	store_close(s);
	s = open_at(BEGAN + 9, false);
	ck_assert_int_eq(since(s), BEGAN + 7);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* The divergence of two normal distributions of variance 1 is the square of what their means differ by. */
START_TEST(inference_makes_rows_where_nothing_trains)
{
	const int64_t t = beginning();
	struct store *s = open_at(t, true);
	struct store_op op;

	scratch_create(s, "l");
	train(s, 1, t + 1);
	for (int i = 0; i < 3; i++) {
		add(s, 100, 1.25, t + 2 + i * INTERVAL);
		save(s, t + 2 + i * INTERVAL);
		add(s, 1, 1.25, t + 3 + i * INTERVAL); /* of the same interval: no second row */
		save(s, t + 3 + i * INTERVAL);
	}
	op = list(s);
	/* The latest first: two rows of inference, and before them when the state came to be so. */
	ck_assert_uint_eq(op.history.count, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(op.history.entries[i].revision, 1);
		ck_assert(op.history.entries[i].mean.max == 2);
	}
	ck_assert_int_eq(op.history.entries[0].time_s, t + 2 + 2 * INTERVAL);
	ck_assert_int_eq(op.history.entries[1].time_s, t + 2 + INTERVAL);
	ck_assert_int_eq(op.history.entries[2].time_s, t + 1);
	ck_assert_double_eq_tol(op.history.entries[0].drift, 0.25, 1e-12); /* of the second feature */
	ck_assert_double_eq_tol(op.history.entries[1].drift, 0.25, 1e-12);
	ck_assert(isnan(op.history.entries[2].drift));
	ck_assert_double_eq_tol(op.history.drift, 0.25, 1e-12);
	store_op_fini(&op);
	/* Training goes on: the state has its row, and the next one gets one with the window as it is stored. */
	train(s, 1.25, t + 3 * INTERVAL);
	train(s, 1.5, t + 4 * INTERVAL);
	op = list(s);
	ck_assert_uint_eq(op.history.count, 4);
	ck_assert_uint_eq(op.history.entries[0].revision, 2);
	ck_assert_int_eq(op.history.entries[0].time_s, t + 3 * INTERVAL);
	ck_assert_double_eq_tol(op.history.entries[0].drift, 0, 1e-12);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

START_TEST(few_values_and_untrained_layers_make_no_rows)
{
	const int64_t t = beginning();
	struct store *s = open_at(t, true);
	struct store_op op;

	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_LAYER_CREATE, .create = { .definition = "d", .features = FEATURES } });
	add(s, 1000, 1, t + INTERVAL);
	save(s, t + INTERVAL);
	op = list(s);
	ck_assert_uint_eq(op.history.count, 0);
	ck_assert(isnan(op.history.drift));
	store_op_fini(&op);
	atomic_store(&now_s, t + INTERVAL);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_WINDOW_RESET });
	train(s, 1, t + INTERVAL);
	add(s, HISTORY_DRIFT_COUNT - 1, 2, t + 2 * INTERVAL);
	save(s, t + 2 * INTERVAL);
	op = list(s);
	ck_assert_uint_eq(op.history.count, 0);
	ck_assert(isnan(op.history.drift));
	store_op_fini(&op);
	add(s, 1, 2, t + 2 * INTERVAL);
	save(s, t + 2 * INTERVAL + 1);
	op = list(s);
	ck_assert_uint_eq(op.history.count, 2);
	ck_assert_double_eq_tol(op.history.drift, 4, 1e-12);
	store_op_fini(&op);
	store_close(s);
}
END_TEST

/* ---- kills */

/* A process that adds, once what it added was saved, 10 values, and is killed: these are lost, and no others. */
START_TEST(a_kill_loses_what_was_not_saved)
{
	atomic_bool *saved = mmap(NULL, sizeof(*saved), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct store *s = open_at(BEGAN, false);
	struct store_op op;
	pid_t child;

	ck_assert_ptr_ne(saved, MAP_FAILED);
	scratch_create(s, "l");
	train(s, 1, BEGAN);
	store_close(s);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		s = open_at(BEGAN, true);
		add(s, 7, 1, BEGAN);
		save(s, BEGAN);
		store_close(s);
		s = open_at(BEGAN, false);
		add(s, 10, 1, BEGAN);
		op = list(s); /* the store's thread is at work */
		store_op_fini(&op);
		atomic_store(saved, true);
		pause();
	}
	while (!atomic_load(saved))
		ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	s = open_at(BEGAN, false);
	op = scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = "l" } });
	ck_assert_uint_eq(op.window.moments.count, 7);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	munmap(saved, sizeof(*saved));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("window_history");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_set_timeout(t, 60); /* instrumented, beside other work */
	tcase_add_test(t, a_window_is_since_its_first_value_a_switch_or_a_reset);
	tcase_add_test(t, inference_makes_rows_where_nothing_trains);
	tcase_add_test(t, few_values_and_untrained_layers_make_no_rows);
	tcase_add_test(t, a_kill_loses_what_was_not_saved);
	suite_add_tcase(s, t);
	return s;
}
