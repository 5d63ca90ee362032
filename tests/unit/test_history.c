/* SPDX-License-Identifier: MIT */
/* The history of layers: which states become rows, and which rows go. The store's clock is the test's own. */
#include "storage/history.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

#define INTERVAL 60
#define BEGAN INT64_C(1700000000)

static _Atomic int64_t now_s;

int64_t __wrap_clock_realtime_s(void);

int64_t
__wrap_clock_realtime_s(void)
{
	return atomic_load(&now_s);
}

/* ---- which rows go */

#define ROWS ((uint64_t)1000000)

/* By the contract of history_thinned: how many rows there can be when `number` is the latest. */
static uint64_t
bound(uint64_t number)
{
	uint64_t rows = HISTORY_WHOLE;

	for (uint64_t ages = HISTORY_WHOLE; ages < number; ages *= 2)
		rows += HISTORY_WHOLE / 2;
	return rows;
}

/* The older rows are, the fewer: of those below twice HISTORY_WHOLE * 2^j each 2^(j+1)-th, and no other. */
static bool
rows_are_right(const bool *there, uint64_t latest)
{
	bool right = true;

	for (uint64_t number = 1; number <= latest; number++) {
		uint64_t step = 1;

		while (latest - number >= HISTORY_WHOLE * step)
			step *= 2;
		right = right && there[number] == (number % step == 0);
	}
	return right;
}

START_TEST(old_rows_get_fewer)
{
	bool *there = calloc(ROWS + 1, sizeof(*there));
	uint64_t count = 0, gone, look = 1;
	bool right = true; /* checked once: a million assertions take seconds */

	ck_assert_ptr_nonnull(there);
	for (uint64_t number = 1; number <= ROWS; number++) {
		there[number] = true;
		count++;
		gone = history_thinned(number);
		if (gone != 0) {
			right = right && gone < number && there[gone];
			there[gone] = false;
			count--;
		}
		right = right && count <= bound(number);
		if (number == look || number == ROWS) {
			right = right && rows_are_right(there, number);
			look = look * 3 + 1;
		}
	}
	ck_assert(right);
	ck_assert_uint_le(count, 1800);
	free(there);
}
END_TEST

/* ---- intervals */

START_TEST(an_interval_is_as_long_as_it_says)
{
	for (int64_t id = 1; id < 200; id++) {
		uint64_t interval = history_interval(id, BEGAN, INTERVAL);
		unsigned changes = 0, jumps = 0;

		for (int64_t s = 1; s <= 10 * INTERVAL; s++) {
			const uint64_t next = history_interval(id, BEGAN + s, INTERVAL);

			changes += next == interval + 1;
			jumps += next != interval && next != interval + 1;
			interval = next;
		}
		ck_assert_uint_eq(changes, 10);
		ck_assert_uint_eq(jumps, 0);
	}
}
END_TEST

/* Of a thousand layers that change all the time, as many write their row in one second as in another. */
START_TEST(intervals_of_layers_begin_one_after_another)
{
	for (int64_t s = 0; s < INTERVAL; s++) {
		unsigned begin = 0;

		for (int64_t id = 1; id <= 1000; id++)
			begin +=
			    history_interval(id, BEGAN + s, INTERVAL) != history_interval(id, BEGAN + s - 1, INTERVAL);
		ck_assert_uint_ge(begin, 1000 / INTERVAL - 4);
		ck_assert_uint_le(begin, 1000 / INTERVAL + 5);
	}
}
END_TEST

START_TEST(no_second_of_a_damaged_file_overflows)
{
	ck_assert(history_interval(1, INT64_MAX, 1) > history_interval(1, BEGAN, 1));
	(void)history_interval(INT64_MAX, INT64_MAX, UINT32_MAX);
}
END_TEST

/* ---- the store */

#define FEATURES 4

static double ones[FEATURES] = { 1, 1, 1, 1 };

static struct store *
open_at(int64_t second)
{
	atomic_store(&now_s, second);
	return scratch_open_history(INTERVAL);
}

/* A batch whose means are `mean` times 1, 2, 3 and 10; the running means are the batch's. */
static void
train(struct store *s, const char *layer, double mean, int64_t second)
{
	double means[FEATURES] = { 2 * mean, 10 * mean, mean, 3 * mean };
	const struct update update = { .averaging = AVERAGING_EXPONENTIAL,
		.momentum = 1,
		.count = 4,
		.features = FEATURES,
		.mean = means,
		.var = ones };

	atomic_store(&now_s, second);
	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_UPDATE, .layer = layer, .updates = { .list = &update, .count = 1 } });
}

static void
write_at(struct store *s, int64_t second, struct store_write write)
{
	atomic_store(&now_s, second);
	(void)scratch_write(s, write);
}

static struct store_op
list(struct store *s, const char *layer, uint64_t before, size_t limit)
{
	struct store_op op = scratch_run(s,
	    (struct store_op){ .kind = STORE_HISTORY_GET,
		.history = { .model = "m", .layer = layer, .before = before, .limit = limit } });

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	return op;
}

/* A store that opens begins with its chores: they are done when its first write is. */
static void
do_chores(int64_t second)
{
	struct store *s = open_at(second);

	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_LAYER_CREATE, .model = "chores", .create.definition = "d" });
	store_close(s);
}

/* The second in which the first interval of the scratch store's first layer begins, from BEGAN on. */
static int64_t
beginning(void)
{
	int64_t s = BEGAN;

	while (history_interval(1, s, INTERVAL) == history_interval(1, s - 1, INTERVAL))
		s++;
	return s;
}

START_TEST(the_last_state_of_an_interval_is_a_row)
{
	const int64_t t = beginning();
	struct store *s = open_at(t);
	struct store_op op;

	scratch_create(s, "l");
	for (int i = 0; i < INTERVAL; i++)
		train(s, "l", i + 1, t + i);
	op = list(s, "l", 0, 10);
	ck_assert_uint_eq(op.history.count, 0);
	store_op_fini(&op);
	/* Many intervals later, also after a restart. */
	store_close(s);
	s = open_at(t);
	train(s, "l", 100, t + 7 * INTERVAL);
	train(s, "l", 200, t + 7 * INTERVAL + 1);
	op = list(s, "l", 0, 10);
	ck_assert_uint_eq(op.history.count, 1);
	ck_assert(!op.history.more);
	ck_assert_uint_eq(op.history.entries[0].number, 1);
	ck_assert_int_eq(op.history.entries[0].time_s, t + INTERVAL - 1);
	ck_assert_uint_eq(op.history.entries[0].revision, INTERVAL);
	ck_assert_uint_eq(op.history.entries[0].num_batches_tracked, INTERVAL);
	ck_assert(op.history.entries[0].mean.min == 60);
	ck_assert(op.history.entries[0].mean.median == 150);
	ck_assert(op.history.entries[0].mean.max == 600);
	ck_assert(op.history.entries[0].var.min == 1 && op.history.entries[0].var.max == 1);
	ck_assert_uint_eq(op.history.snapshot->revision, INTERVAL + 2);
	ck_assert_int_eq(op.history.snapshot->changed_s, t + 7 * INTERVAL + 1);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

START_TEST(a_clock_that_is_set_back_gives_no_interval_a_second_row)
{
	const int64_t t = beginning();
	struct store *s = open_at(t);
	struct store_op op;

	scratch_create(s, "l");
	train(s, "l", 1, t);
	for (int i = 0; i < 100; i++) {
		train(s, "l", 2, t + INTERVAL);
		train(s, "l", 3, t + 1);
	}
	op = list(s, "l", 0, 10);
	ck_assert_uint_eq(op.history.count, 1);
	ck_assert_uint_eq(op.history.entries[0].revision, 1);
	store_op_fini(&op);
	/* It goes on at once, although it was once in another century. */
	train(s, "l", 4, t + INT64_C(3155760000));
	train(s, "l", 5, t + 2 * INTERVAL);
	train(s, "l", 6, t + 3 * INTERVAL);
	op = list(s, "l", 0, 10);
	ck_assert_uint_eq(op.history.count, 2);
	ck_assert_int_eq(op.history.entries[0].time_s, t + 2 * INTERVAL);
	store_op_fini(&op);
	store_close(s);
}
END_TEST

START_TEST(every_change_counts_once_there_were_statistics)
{
	const int64_t t = beginning();
	struct statistics put = { .features = FEATURES, .mean = ones, .var = ones };
	const struct moments totals = { 2, ones, ones };
	struct store *s = open_at(t);
	uint64_t revisions[8];
	struct store_op op;

	scratch_create(s, "l");
	write_at(s, t, (struct store_write){ .kind = STORE_PARAMETERS_PUT, .layer = "l" });
	write_at(s, t + INTERVAL, (struct store_write){ .kind = STORE_STATISTICS_PUT, .statistics = &put });
	write_at(s, t + 2 * INTERVAL, (struct store_write){ .kind = STORE_PARAMETERS_PUT });
	write_at(s, t + 3 * INTERVAL, (struct store_write){ .kind = STORE_FREEZE, .frozen = true });
	write_at(s, t + 4 * INTERVAL, (struct store_write){ .kind = STORE_FREEZE, .frozen = true }); /* no change */
	write_at(s, t + 5 * INTERVAL, (struct store_write){ .kind = STORE_FREEZE });
	write_at(s, t + 6 * INTERVAL, (struct store_write){ .kind = STORE_STATISTICS_RESET });
	write_at(s, t + 7 * INTERVAL,
	    (struct store_write){
		.kind = STORE_SOURCE_PUT, .source = { .name = "a", .totals = &totals, .features = FEATURES } });
	write_at(s, t + 8 * INTERVAL, (struct store_write){ .kind = STORE_SOURCE_DELETE, .source = { .name = "a" } });
	op = list(s, "l", 0, 8);
	ck_assert_uint_eq(op.history.count, 6);
	for (size_t i = 0; i < 6; i++)
		revisions[i] = op.history.entries[i].revision;
	for (size_t i = 0; i < 6; i++)
		ck_assert_uint_eq(revisions[i], 7 - i);
	/* After the reset. */
	ck_assert_int_eq(op.history.entries[1].time_s, t + 6 * INTERVAL);
	ck_assert(op.history.entries[1].mean.max == 0 && op.history.entries[1].var.min == 1);
	ck_assert_uint_eq(op.history.snapshot->revision, 8);
	store_op_fini(&op);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

START_TEST(the_rows_of_a_deleted_layer_go_later)
{
	const int64_t t = beginning();
	struct store *s = open_at(t);

	scratch_create(s, "l");
	scratch_create(s, "other");
	for (int i = 0; i < 5; i++) {
		train(s, "l", i, t + i * INTERVAL);
		train(s, "other", i, t + i * INTERVAL);
	}
	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE, .layer = "l" });
	scratch_create(s, "l");
	train(s, "l", 1, t + 9 * INTERVAL);
	store_close(s);
	if (!scratch_is_postgresql()) { /* whose ids are random */
		ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history WHERE layer_id = 2"), 4);
		ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history WHERE layer_id > 2"), 0);
	}
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	do_chores(t + 9 * INTERVAL);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history"), 4);
	s = open_at(t + 9 * INTERVAL);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_MODEL_DELETE });
	store_close(s);
	do_chores(t + 9 * INTERVAL);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history"), 0);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history_gone"), 0);
}
END_TEST

/* More rows than a slice takes: of one layer, and of many. */
START_TEST(a_long_history_goes_in_slices)
{
	store_close(open_at(BEGAN));
	scratch_alter("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
		      " INSERT INTO history SELECT 1000, i, 1, 1, 1, 0, 0, 0, 1, 1, 1, NULL FROM n");
	scratch_alter("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700)"
		      " INSERT INTO history SELECT 1000 + i, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, NULL FROM n");
	ck_assert_uint_eq(scratch_check(), 701);
	scratch_alter("INSERT INTO history_gone SELECT DISTINCT layer_id FROM history");
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	for (int i = 0; scratch_ask("SELECT count(*) FROM history_gone") > 0; i++) {
		ck_assert_int_lt(i, 10);
		do_chores(BEGAN);
	}
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history"), 0);
}
END_TEST

/* How many rows there are, and the present revision. */
static void
check_history(struct store *s, size_t rows, uint64_t revision)
{
	struct store_op op = list(s, "l", 0, 100);

	ck_assert_uint_eq(op.history.count, rows);
	ck_assert_uint_eq(op.history.snapshot->revision, revision);
	store_op_fini(&op);
}

START_TEST(a_row_that_cannot_be_stored_fails_the_change)
{
	const int64_t t = beginning();
	struct store *s = open_at(t);
	struct scratch_change c = { .write = { .kind = STORE_FREEZE, .frozen = true } };

	scratch_create(s, "l");
	train(s, "l", 1, t);
	store_close(s);
	scratch_alter("CREATE TRIGGER no BEFORE INSERT ON history BEGIN SELECT RAISE(ABORT, 'no'); END");
	s = open_at(t + INTERVAL);
	c = scratch_run_change(s, c);
	ck_assert_int_eq(c.op.err.code, ERR_STORAGE_UNAVAILABLE);
	store_close(s);
	scratch_alter("DROP TRIGGER no");
	s = open_at(t + INTERVAL);
	train(s, "l", 2, t + INTERVAL);
	check_history(s, 1, 2);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* A layer that was migrated: when it changed last was not recorded. */
START_TEST(an_unknown_time_is_no_row)
{
	const int64_t t = beginning();
	struct store *s = open_at(t);
	struct store_op op;

	scratch_create(s, "l");
	train(s, "l", 1, t);
	store_close(s);
	scratch_alter("UPDATE state SET changed_s = 0");
	s = open_at(t + INTERVAL);
	op = list(s, "l", 0, 2);
	ck_assert_int_eq(op.history.snapshot->changed_s, 0);
	store_op_fini(&op);
	train(s, "l", 2, t + INTERVAL);
	op = list(s, "l", 0, 2);
	ck_assert_uint_eq(op.history.count, 0);
	store_op_fini(&op);
	train(s, "l", 3, t + 2 * INTERVAL);
	op = list(s, "l", 0, 2);
	ck_assert_uint_eq(op.history.count, 1);
	ck_assert_int_eq(op.history.entries[0].time_s, t + INTERVAL);
	store_op_fini(&op);
	store_close(s);
}
END_TEST

#define MANY 560

/* Pages of any size give the rows that are there, each once, the latest first. */
START_TEST(pages_of_rows_that_got_fewer)
{
	static const size_t limits[] = { 1, 2, 7, 100, 1000 };
	const int64_t t = beginning();
	struct store *s = open_at(t);

	scratch_create(s, "l");
	for (int i = 0; i <= MANY; i++)
		train(s, "l", i, t + i * INTERVAL);
	for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		uint64_t before = 0, seen = 0, number = MANY + 1, step;
		struct store_op op;
		bool more;

		do {
			op = list(s, "l", before, limits[k]);
			for (size_t i = 0; i < op.history.count; i++) {
				step = MANY - number + 1 < HISTORY_WHOLE  ? 1 :
				    MANY - number + 1 < 2 * HISTORY_WHOLE ? 2 :
									    4;
				number = op.history.entries[i].number;
				ck_assert_uint_eq(number % step, 0);
				ck_assert_uint_eq(op.history.entries[i].revision, number);
				seen++;
			}
			more = op.history.more;
			before = number;
			store_op_fini(&op);
		} while (more);
		ck_assert_uint_eq(seen, 256 + 128 + 12);
		ck_assert_uint_eq(number, 4);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM history"), 256 + 128 + 12);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

START_TEST(damaged_rows_are_found)
{
	static const struct {
		const char *damage, *found;
	} cases[] = {
		{ "UPDATE history SET mean_median = mean_max + 1 WHERE number = 2", "running mean" },
		{ "UPDATE history SET var_min = -1, var_median = 0 WHERE number = 1", "running variance" },
		{ "UPDATE history SET mean_max = 9e999 WHERE number = 1", "running mean" },
		{ "UPDATE history SET number = 0 WHERE number = 1", "number" },
		{ "UPDATE history SET revision = -1", "revision" },
		{ "UPDATE history SET time_s = 0", "time" },
		{ "UPDATE history SET drift = -1 WHERE number = 2", "drift" },
		{ "UPDATE history SET drift = 9e999 WHERE number = 2", "drift" },
	};
	const int64_t t = beginning();
	struct store *s = open_at(t);

	scratch_create(s, "l");
	for (int i = 0; i < 4; i++)
		train(s, "l", i, t + i * INTERVAL);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	scratch_alter(cases[_i].damage);
	ck_assert_uint_ge(scratch_check(), 1);
	ck_assert_ptr_nonnull(strstr(scratch_found, "history"));
	ck_assert_msg(strstr(scratch_found, cases[_i].found) != NULL, "%s", scratch_found);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("history");
	TCase *rules = tcase_create("rules"), *t = tcase_create("store");

	tcase_add_test(rules, old_rows_get_fewer);
	tcase_add_test(rules, an_interval_is_as_long_as_it_says);
	tcase_add_test(rules, intervals_of_layers_begin_one_after_another);
	tcase_add_test(rules, no_second_of_a_damaged_file_overflows);
	suite_add_tcase(s, rules);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_set_timeout(t, 120); /* hundreds of commits, instrumented, beside other work */
	scratch_add_of_sqlite(t, the_last_state_of_an_interval_is_a_row);
	scratch_add_of_sqlite(t, a_clock_that_is_set_back_gives_no_interval_a_second_row);
	tcase_add_test(t, every_change_counts_once_there_were_statistics);
	tcase_add_test(t, the_rows_of_a_deleted_layer_go_later);
	scratch_add_of_sqlite(t, a_long_history_goes_in_slices);
	scratch_add_of_sqlite(t, a_row_that_cannot_be_stored_fails_the_change);
	scratch_add_of_sqlite(t, an_unknown_time_is_no_row);
	tcase_add_test(t, pages_of_rows_that_got_fewer);
	if (!scratch_is_postgresql())
		tcase_add_loop_test(t, damaged_rows_are_found, 0, 8);
	suite_add_tcase(s, t);
	return s;
}
