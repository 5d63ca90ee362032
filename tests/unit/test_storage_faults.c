/* SPDX-License-Identifier: MIT */
/*
 * Calls of the file system that fail, one after the other, while the store works, opens and closes: what was
 * acknowledged is there; what was answered with an error is not, neither now nor after a close, a kill or a power cut
 * (but where the answer said that this is not known); and when the fault has passed the store goes on.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/disk/rig.h"
#include "tests/disk/vfs.h"
#include "tests/unit/scratch_store.h"

#define BATCHES 6

enum ending { ENDS_BY_CLOSE, ENDS_BY_KILL, ENDS_BY_CUT, ENDING_COUNT };

static struct disk *disk;
static struct rig rig;
static struct world base, now, next;
static struct world doubts[BATCHES]; /* states that the store may hold after a restart, beside `now` */
static unsigned doubt_count;
static uint64_t random_state;
static char what[128]; /* the case at hand, for messages */

static void
must_open(size_t cache_bytes)
{
	struct err e = { 0 };

	ck_assert_msg(rig_open(&rig, cache_bytes, &e) == 0, "%s: %s", what, e.detail);
}

/*
 * Checkpoints come soon; and now and then SQLite has so little memory that it reads again, and writes before it
 * commits.
 */
static void
tighten(unsigned nth)
{
	rig_settle(&rig); /* the connection is the store's */
	sqlite3_wal_autocheckpoint(rig.db, 8);
	if (nth / 2 % 2 != 0)
		sqlite3_exec(rig.db, "PRAGMA cache_size=8", NULL, NULL, NULL);
}

static enum rig_outcome
run_batch(void)
{
	struct world_batch batch;
	enum rig_outcome outcome;

	world_make_batch(&batch, &now, &random_state);
	batch.adds = false; /* what could not be saved would come with a later batch */
	outcome = rig_run(&rig, &now, &batch, &next);
	ck_assert_msg(outcome != RIG_WRONG, "%s: a batch was answered in part, or wrongly", what);
	return outcome;
}

static void
must_store(void)
{
	ck_assert_msg(run_batch() == RIG_STORED, "%s: %s", what, rig.ops[0].err.detail);
	now = next;
	doubt_count = 0;
}

/* A store with something in it whose owner was killed: a log is left that must be recovered. */
static void
setup(void)
{
	strcpy(what, "setup");
	disk = disk_new(1);
	vfs_register(disk);
	random_state = 7;
	now = (struct world){ 0 };
	must_open(1 << 20);
	for (int i = 0; i < 8; i++)
		must_store();
	disk_kill(disk);
	rig_close(&rig);
	disk_keep(disk);
	world_lose_pins(&now);
	base = now;
}

static void
teardown(void)
{
	rig_close(&rig);
	vfs_unregister();
	disk_free(disk);
}

static void
start_case(const struct disk_fault *fault, const char *when, enum ending ending)
{
	static const char *const ops[] = { "open", "read", "write", "truncate", "sync", "size", "delete" };
	static const char *const endings[] = { "close", "kill", "cut" };

	snprintf(what, sizeof(what), "%s %u%s fails%s%s %s, then %s", ops[fault->op], fault->nth,
	    fault->lasting ? " and all after it" : "", fault->full ? " (full)" : "", fault->loses ? " (loses)" : "",
	    when, endings[ending]);
	disk_restore(disk, fault->nth);
	random_state = ~(uint64_t)fault->nth;
	now = base;
	doubt_count = 0;
}

/* The process ends: the store was closed, or not, or the power went. What failed is well again. */
static void
end(enum ending ending)
{
	if (ending == ENDS_BY_KILL)
		disk_kill(disk);
	if (ending == ENDS_BY_CUT)
		disk_cut(disk);
	rig_close(&rig);
	world_lose_pins(&now);
	for (unsigned i = 0; i < doubt_count; i++)
		world_lose_pins(&doubts[i]);
	if (ending == ENDS_BY_CUT)
		disk_power_on(disk);
	else
		disk_kill(disk);
}

/* The store, opened anew, holds what it should; and what it takes from now on survives a power cut too. */
static void
check_after_restart(void)
{
	bool matches;

	must_open(1 << 20);
	ck_assert_msg(rig_is_sound(&rig), "%s: the store is damaged", what);
	matches = rig_matches(&rig, &now);
	for (unsigned i = 0; i < doubt_count && !matches; i++) {
		matches = rig_matches(&rig, &doubts[i]);
		if (matches)
			now = doubts[i];
	}
	ck_assert_msg(matches, "%s: after the restart the store holds something else", what);
	must_store();
	end(ENDS_BY_CUT);
	must_open(1 << 20);
	ck_assert_msg(
	    rig_is_sound(&rig) && rig_matches(&rig, &now), "%s: after a cut the store holds something else", what);
	rig_close(&rig);
}

/*
 * How many calls failed. `leave`: the process ends at the first batch that fails, before the store could do anything
 * more.
 */
static unsigned
fail_at_work(struct disk_fault fault, enum ending ending, bool leave)
{
	unsigned failures;

	start_case(&fault, leave ? "at work, at once" : "at work", ending);
	must_open(fault.nth % 2 == 0 ? 1 << 20 : 1);
	tighten(fault.nth);
	disk_fail(disk, fault);
	for (int i = 0; i < BATCHES; i++) {
		enum rig_outcome outcome = run_batch();

		if (outcome == RIG_STORED) {
			now = next;
			doubt_count = 0;
			continue;
		}
		if (outcome == RIG_DOUBTFUL)
			doubts[doubt_count++] = next;
		ck_assert_msg(fault.lasting || outcome == RIG_FAILED, "%s: one failure must leave no doubt", what);
		ck_assert_msg(fault.lasting || rig_matches(&rig, &now), "%s: not all as before the failure", what);
		if (leave)
			break;
	}
	failures = disk_failures(disk);
	if (!leave) {
		disk_fail(disk, (struct disk_fault){ 0 });
		ck_assert_msg(rig_matches(&rig, &now), "%s: the store holds something else", what);
		must_store();
		ck_assert_msg(rig_matches(&rig, &now), "%s: afterwards the store holds something else", what);
	}
	end(ending);
	check_after_restart();
	return failures;
}

static unsigned
fail_at_open(struct disk_fault fault, enum ending ending)
{
	struct err e = { 0 };
	unsigned failures;

	start_case(&fault, "while opening", ending);
	disk_fail(disk, fault);
	if (rig_open(&rig, 1 << 20, &e) < 0) {
		ck_assert_msg(
		    e.code == ERR_STORAGE_UNAVAILABLE || e.code == ERR_STORAGE_FULL, "%s: %s", what, e.detail);
		ck_assert_msg(e.detail[0] != '\0', "%s: without a word", what);
	}
	failures = disk_failures(disk);
	end(ending);
	check_after_restart();
	return failures;
}

static unsigned
fail_at_close(struct disk_fault fault, enum ending ending)
{
	unsigned failures;

	start_case(&fault, "while closing", ending);
	must_open(1 << 20);
	for (int i = 0; i < 3; i++)
		must_store();
	disk_fail(disk, fault);
	rig_close(&rig);
	failures = disk_failures(disk);
	end(ending);
	check_after_restart();
	return failures;
}

/* The next number of the call to let fail: all of the first, then fewer. */
static unsigned
next_nth(unsigned nth)
{
	return nth + 1 + nth / 30;
}

/* Every call of a kind, each way; the ways to end take turns. */
static void
fail_each(struct disk_fault fault)
{
	for (int lasting = 0; lasting < 2; lasting++) {
		fault.lasting = lasting != 0;
		for (fault.nth = 1;
		     fail_at_work(fault, fault.nth % ENDING_COUNT, fault.nth / ENDING_COUNT % 2 != 0) > 0;
		     fault.nth = next_nth(fault.nth))
			;
		for (fault.nth = 1; fail_at_open(fault, fault.nth % ENDING_COUNT) > 0; fault.nth = next_nth(fault.nth))
			;
		for (fault.nth = 1; fail_at_close(fault, fault.nth % ENDING_COUNT) > 0; fault.nth = next_nth(fault.nth))
			;
	}
}

START_TEST(a_call_that_fails_leaves_what_was_acknowledged_and_nothing_else)
{
	static const struct disk_fault faults[] = {
		{ .op = DISK_OPEN },
		{ .op = DISK_READ },
		{ .op = DISK_WRITE },
		{ .op = DISK_WRITE, .full = true },
		{ .op = DISK_TRUNCATE },
		{ .op = DISK_SIZE },
		{ .op = DISK_DELETE },
	};

	fail_each(faults[_i]);
}
END_TEST

/* The flush is where durability is made: each of them, each way, with each end. */
START_TEST(a_flush_that_fails_acknowledges_nothing_that_is_not_there)
{
	for (int way = 0; way < 2 * 2 * ENDING_COUNT; way++) {
		const enum ending ending = way / 4;
		struct disk_fault fault = {
			.op = DISK_SYNC, .nth = 1, .lasting = way % 2 != 0, .loses = way / 2 % 2 != 0
		};

		for (; fail_at_work(fault, ending, false) > 0; fault.nth++)
			(void)fail_at_work(fault, ending, true);
		for (fault.nth = 1; fail_at_open(fault, ending) > 0; fault.nth++)
			;
		for (fault.nth = 1; fail_at_close(fault, ending) > 0; fault.nth++)
			;
	}
}
END_TEST

/* A store that cannot forget its old keys, because the disk is full, tries it again later, and not all the time. */
START_TEST(chores_that_fail_wait)
{
	strcpy(what, "chores");
	must_open(1 << 20);
	ck_assert_int_eq(sqlite3_exec(rig.db,
			     "DELETE FROM idempotency; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
			     "WHERE i < 2500) INSERT INTO "
			     "idempotency SELECT NULL, 1, 'old' || i, zeroblob(32), 1, 1, 1 FROM n",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	rig_close(&rig);
	disk_fail(disk, (struct disk_fault){ .op = DISK_WRITE, .nth = 1, .lasting = true, .full = true });
	must_open(1 << 20);
	usleep(100000);
	ck_assert_uint_gt(disk_failures(disk), 0);
	ck_assert_uint_lt(disk_failures(disk), 10);
	disk_fail(disk, (struct disk_fault){ 0 });
	must_store();
}
END_TEST

/* The process is killed between any two calls, and the power goes after the next one has let its state be seen. */
START_TEST(what_was_read_after_a_kill_survives_a_power_cut)
{
	const struct world *found;
	bool struck = true;

	for (unsigned nth = 1; struck; nth++) {
		start_case(&(struct disk_fault){ .nth = nth }, "by a kill", ENDS_BY_CUT);
		must_open(1 << 20);
		tighten(nth);
		disk_cut_at(disk, nth);
		for (int i = 0; i < BATCHES && run_batch() == RIG_STORED; i++)
			now = next;
		struck = disk_is_off(disk);
		disk_kill(disk);
		rig_close(&rig);
		must_open(1 << 20);
		found = rig_matches(&rig, &next) ? &next : &now;
		ck_assert_msg(rig_matches(&rig, found), "call %u: the store holds something else", nth);
		end(ENDS_BY_CUT);
		must_open(1 << 20);
		ck_assert_msg(rig_is_sound(&rig) && rig_matches(&rig, found), "call %u: what was read is gone", nth);
		rig_close(&rig);
	}
}
END_TEST

/* How the store drops clean pages, on a real file. */
static struct stat advised;
static int advice_given;

int
posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
	ck_assert_int_eq(offset, 0);
	ck_assert_int_eq(length, 0);
	ck_assert_int_eq(fstat(fd, &advised), 0);
	advice_given = advice;
	return 0;
}

/* In a process that ends without closing. */
static void
leave_open(const struct store_options *options)
{
	pid_t child = fork();
	struct err e = { 0 };
	int status;

	if (child == 0)
		_exit(store_open(options, &e) == NULL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(a_log_that_was_left_is_read_from_the_disk_not_from_memory)
{
	char wal[64];
	const struct store_options options = { .url = scratch_url, .queue_max = 1, .definitions = { .parse = NULL } };
	struct err e = { 0 };
	struct stat left;
	struct store *s;

	snprintf(wal, sizeof(wal), "%s-wal", scratch_path);
	leave_open(&options);
	ck_assert_int_eq(stat(wal, &left), 0);
	s = store_open(&options, &e);
	ck_assert_msg(s != NULL, "%s", e.detail);
	ck_assert_int_eq(advice_given, POSIX_FADV_DONTNEED);
	ck_assert_uint_eq(advised.st_ino, left.st_ino);
	store_close(s);

	advice_given = -1;
	s = store_open(&options, &e);
	ck_assert_int_eq(advice_given, -1);
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("storage_faults");
	TCase *t = tcase_create("storage_faults");
	TCase *real = tcase_create("real_file");

	suite_add_tcase(s, t);
	suite_add_tcase(s, real);
	if (scratch_is_postgresql())
		return s; /* all of this is about SQLite's files */
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, a_call_that_fails_leaves_what_was_acknowledged_and_nothing_else, 0, 7);
	tcase_add_test(t, a_flush_that_fails_acknowledges_nothing_that_is_not_there);
	tcase_add_test(t, chores_that_fail_wait);
	tcase_add_test(t, what_was_read_after_a_kill_survives_a_power_cut);
	tcase_add_checked_fixture(real, scratch_setup, scratch_teardown);
	tcase_add_test(real, a_log_that_was_left_is_read_from_the_disk_not_from_memory);
	return s;
}
