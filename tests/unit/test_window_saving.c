/* SPDX-License-Identifier: MIT */
/* When windows of inference are saved: their values count once, whatever is short, fails or runs at the same time. */
#include "tests/unit/window_store.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/gate.h"
#include "tests/unit/unit.h"

/* Whenever they are saved, and by however many stores, values give the moments of all of them. */
START_TEST(saving_does_not_matter)
{
	struct store *s = open_saving(ALWAYS_US);
	double sum = 0, squares = 0;
	uint64_t count = 0;
	struct store_op op;

	make_layer(s, "l");
	for (int i = 0; i < 200; i++) {
		const uint64_t n = 1 + (uint64_t)i % 5;
		const double mean = i * 37 % 100;

		add(s, "l", n, mean);
		count += n;
		sum += (double)n * mean;
		squares += (double)n * (mean * mean + 1);
		if (i % 7 == 0)
			scratch_create(s, (char[]){ 'x', (char)('a' + i / 7 % 26), (char)('a' + i / 182), '\0' });
		if (i % 50 == 49) {
			store_close(s);
			s = open_saving(i % 100 == 49 ? NEVER_US : ALWAYS_US);
		}
	}
	op = get(s, "l");
	ck_assert_uint_eq(op.window.moments.count, count);
	ck_assert_double_eq_tol(op.window.moments.mean[0], sum / (double)count, 1e-10);
	ck_assert_double_eq_tol(
	    op.window.moments.var[0], squares / (double)count - sum / (double)count * sum / (double)count, 1e-8);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* ---- memory */

/* A cache that holds nothing: each state is loaded anew, and goes at once. */
START_TEST(states_that_leave_the_cache_lose_nothing)
{
	struct store *s;
	struct store_options options = { .queue_max = SCRATCH_QUEUE_MAX, .windows_interval_us = NEVER_US };

	options.windows_bytes_max = 1 << 20;
	s = scratch_open_cache(options, 1);
	make_layer(s, "l");
	for (int i = 0; i < 50; i++)
		add(s, "l", 2, 1);
	check(s, "l", 100, 1, 1);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count FROM drift_window"), 100);
}
END_TEST

#define LAYERS 40

static const char *
name_of(int i)
{
	static char name[8];

	snprintf(name, sizeof(name), "l%d", i);
	return name;
}

/* Opens a store with room for about a quarter of LAYERS windows before they are saved early. */
static struct store *
open_with_little_room(void)
{
	struct store *s = scratch_open_options((struct store_options){
	    .queue_max = SCRATCH_QUEUE_MAX, .windows_interval_us = NEVER_US, .windows_bytes_max = LAYERS / 4 * 700 });

	for (int i = 0; i < LAYERS; i++)
		make_layer(s, name_of(i));
	return s;
}

/* Windows of many layers are saved early, and none of their values are lost. */
START_TEST(windows_have_a_bound)
{
	struct store *s = open_with_little_room();

	for (int i = 0; i < 5 * LAYERS; i++)
		add(s, name_of(i % LAYERS), 1, 1); /* waits for the store's thread, which saves in between */
	for (int i = 0; i < LAYERS; i++)
		check(s, name_of(i), 5, 1, 1);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT sum(count) FROM drift_window"), 5 * LAYERS);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* While the store's thread is held, values beyond twice the bound are left out; then windows are saved at once. */
START_TEST(beyond_twice_the_bound_values_are_left_out)
{
	struct store *s = open_with_little_room();
	const struct snapshot *states[LAYERS];
	struct gate gate;
	struct store_op stop = gate_init(&gate), op;
	uint64_t count = 0;

	for (int i = 0; i < LAYERS; i++)
		states[i] = scratch_layer(s, name_of(i));
	scratch_submit(s, &stop);
	sem_wait(&gate.reached);
	for (int i = 0; i < 3 * LAYERS; i++)
		add_to(states[i % LAYERS], 1, 1);
	sem_post(&gate.open);
	for (int i = 0; i < LAYERS; i++) {
		op = get(s, name_of(i));
		ck_assert(op.window.moments.count == 0 || op.window.moments.count == 3);
		count += op.window.moments.count;
		store_op_fini(&op);
	}
	ck_assert_uint_ge(count, 3 * (uint64_t)LAYERS / 4);
	ck_assert_uint_lt(count, 3 * (uint64_t)LAYERS);
	/* By now there is room again. */
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .layer = name_of(0), .frozen = true });
	for (int i = 0; i < LAYERS; i++) {
		add_to(states[i], 1, 1);
		store_op_fini(&(struct store_op[]){ get(s, name_of(i)) }[0]);
		snapshot_unref(states[i]);
	}
	store_op_fini(&stop);
	store_close(s);
	gate_fini(&gate);
	ck_assert_int_eq(scratch_ask("SELECT sum(count) FROM drift_window"), (int)count + LAYERS);
}
END_TEST

/* ---- failures */

/* A trigger refuses to store a window of 13 values. */
START_TEST(what_could_not_be_saved_is_saved_later)
{
	struct store *s = open_saving(NEVER_US);
	struct scratch_change c;

	make_layer(s, "l");
	make_layer(s, "other");
	store_close(s);
	scratch_alter("CREATE TRIGGER no BEFORE INSERT ON drift_window WHEN NEW.count = 13 BEGIN"
		      " SELECT RAISE(ABORT, 'no'); END");
	s = open_saving(ALWAYS_US);
	add(s, "other", 5, 1);
	add(s, "l", 13, 1);
	c = scratch_run_change(s, (struct scratch_change){ .write = { .kind = STORE_FREEZE, .frozen = true } });
	/* It fails, or it came after the try that failed, and is not held up by another. */
	if (c.op.err.code != ERR_NONE)
		ck_assert_int_eq(c.op.err.code, ERR_STORAGE_UNAVAILABLE);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .frozen = true });
	check(s, "l", 13, 1, 1);
	check(s, "other", 5, 1, 1);
	add(s, "l", 13, 5);
	check(s, "l", 26, 3, 5);
	store_close(s);
	scratch_alter("DROP TRIGGER no");
	s = open_saving(NEVER_US);
	check(s, "l", 26, 3, 5);
	check(s, "other", 5, 1, 1);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* A change that has nothing to do with windows. Whether it was made. */
static bool
freeze(struct store *s, bool frozen)
{
	const struct store_write write = { .kind = STORE_FREEZE, .frozen = frozen };

	return scratch_run_change(s, (struct scratch_change){ .write = write }).op.err.code == ERR_NONE;
}

/* One change may be in the transaction that fails first. The next try, a second later, is not part of any. */
START_TEST(no_change_fails_again_with_a_window)
{
	struct store *s = open_saving(NEVER_US);
	bool frozen = false;
	uint64_t until_us;

	make_layer(s, "l");
	store_close(s);
	scratch_alter("CREATE TRIGGER no BEFORE INSERT ON drift_window BEGIN SELECT RAISE(ABORT, 'no'); END");
	s = open_saving(ALWAYS_US);
	add(s, "l", 13, 1);
	while (freeze(s, frozen) && store_healthy(s))
		frozen = !frozen;
	for (until_us = clock_monotonic_us() + 1200000; clock_monotonic_us() < until_us; frozen = !frozen)
		ck_assert(freeze(s, frozen));
	check(s, "l", 13, 1, 1);
	store_close(s);
}
END_TEST

static const struct {
	const char *damage, *found;
} damages[] = {
	{ "UPDATE drift_window SET mean = zeroblob(8)", "means or variances" },
	{ "UPDATE drift_window SET var = NULL", "means or variances" },
	{ "UPDATE drift_window SET var = x'000000000000F0BF000000000000F03F000000000000F03F'", "means or variances" },
	{ "UPDATE drift_window SET mean = x'000000000000F07F000000000000F03F000000000000F03F'", "means or variances" },
	{ "UPDATE drift_window SET count = 0", "means or variances" },
	{ "UPDATE drift_window SET count = -1", "count" },
	{ "UPDATE drift_window SET since_s = 0", "time" },
	{ "UPDATE drift_window SET switch = 1", "switch" },
	{ "UPDATE drift_window SET layer_id = 99", "references" },
};

/* They are found, and do not stand in the way of what comes. */
START_TEST(damaged_rows)
{
	struct store *s = open_saving(NEVER_US);
	struct store_op op;
	uint64_t before;

	make_layer(s, "l");
	add(s, "l", 10, 1);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	scratch_alter(damages[_i].damage);
	ck_assert_uint_eq(scratch_check(), 1);
	ck_assert_msg(strstr(scratch_found, damages[_i].found) != NULL || strstr(scratch_found, "parent row") != NULL,
	    "%s", scratch_found);
	s = open_saving(NEVER_US);
	op = get(s, "l");
	before = op.window.moments.count;
	store_op_fini(&op);
	add(s, "l", 4, 1);
	op = get(s, "l");
	ck_assert(op.window.moments.count == before + 4 || op.window.moments.count == 4);
	store_op_fini(&op);
	store_close(s);
	s = open_saving(NEVER_US);
	op = get(s, "l");
	ck_assert(op.window.moments.count == before + 4 || op.window.moments.count == 4);
	ck_assert(isfinite(op.window.moments.mean[0]));
	store_op_fini(&op);
	store_close(s);
}
END_TEST

/* ---- threads */

#define THREADS 4
#define ADDS 3000

struct adder {
	pthread_t thread;
	const struct snapshot *state;
};

static void *
add_many(void *arg)
{
	const struct adder *a = arg;

	for (int i = 0; i < ADDS; i++)
		add_to(a->state, 1, 1);
	return NULL;
}

/* What they put aside has room, however slow the machine is. */
static struct store *
open_with_much_room(void)
{
	return scratch_open_options((struct store_options){ .queue_max = SCRATCH_QUEUE_MAX,
	    .windows_interval_us = ALWAYS_US,
	    .windows_bytes_max = (size_t)THREADS * ADDS * 1000 });
}

/* While threads add, the store saves; with `resets` windows begin anew. Returns what a window of all values counts. */
static uint64_t
add_from_threads(bool resets)
{
	struct store *s = open_with_much_room();
	struct adder adders[THREADS];
	struct store_op op;
	uint64_t last = 0;

	make_layer(s, "l");
	for (int i = 0; i < THREADS; i++) {
		adders[i].state = scratch_layer(s, "l");
		ck_assert_int_eq(pthread_create(&adders[i].thread, NULL, add_many, &adders[i]), 0);
	}
	for (int i = 0; i < 100; i++) {
		(void)scratch_write(s,
		    (struct store_write){ .kind = resets ? STORE_WINDOW_RESET : STORE_FREEZE, .frozen = i % 2 == 0 });
		op = get(s, "l");
		ck_assert(resets || op.window.moments.count >= last);
		ck_assert_uint_le(op.window.moments.count, THREADS * ADDS);
		last = op.window.moments.count;
		store_op_fini(&op);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(adders[i].thread, NULL);
		snapshot_unref(adders[i].state);
	}
	op = get(s, "l");
	last = op.window.moments.count;
	ck_assert(last == 0 || fabs(op.window.moments.mean[1] - 2) < 1e-9);
	store_op_fini(&op);
	store_close(s);
	return last;
}

START_TEST(no_value_of_any_thread_is_lost)
{
	ck_assert_uint_eq(add_from_threads(false), THREADS * ADDS);
	ck_assert_int_eq(scratch_ask("SELECT count FROM drift_window"), THREADS * ADDS);
}
END_TEST

START_TEST(windows_begin_anew_while_threads_add)
{
	const uint64_t left = add_from_threads(true);

	ck_assert_uint_le(left, THREADS * ADDS);
	ck_assert_int_eq(scratch_ask("SELECT count FROM drift_window"), (int)left);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("window saving");
	TCase *t = tcase_create("store"), *threads = tcase_create("threads");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, saving_does_not_matter);
	tcase_add_test(t, states_that_leave_the_cache_lose_nothing);
	tcase_add_test(t, windows_have_a_bound);
	tcase_add_test(t, beyond_twice_the_bound_values_are_left_out);
	scratch_add_of_sqlite(t, what_could_not_be_saved_is_saved_later);
	if (!scratch_is_postgresql())
		tcase_add_loop_test(t, damaged_rows, 0, (int)(sizeof(damages) / sizeof(damages[0])));
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(threads, scratch_setup, scratch_teardown);
	tcase_set_timeout(
	    threads, 60); /* they go on for a while: instrumented, or beside other work, too long for the default */
	tcase_add_test(threads, no_value_of_any_thread_is_lost);
	scratch_add_of_sqlite(threads, no_change_fails_again_with_a_window);
	tcase_add_test(threads, windows_begin_anew_while_threads_add);
	suite_add_tcase(s, threads);
	return s;
}
