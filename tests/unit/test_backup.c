/* SPDX-License-Identifier: MIT */
/*
 * Backups below HTTP: that a copy which is made while its source changes is the source as it is at the end, and who
 * gets which copy.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "storage/sqlite_backend.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_open.h"
#include "tests/unit/gate.h"
#include "tests/unit/scratch_store.h"

static char copy_path[64];

static void
setup(void)
{
	scratch_setup();
	snprintf(copy_path, sizeof(copy_path), "%s/c.db", scratch_directory);
}

static void
teardown(void)
{
	unlink(copy_path);
	scratch_teardown();
}

static void
run(sqlite3 *db, const char *sql)
{
	struct err e = { 0 };

	ck_assert_msg(sqlite_run(db, sql, &e) == 0, "%s: %s", sql, e.detail);
}

/* Whatever a query gives, as one number. */
static int
ask(sqlite3 *db, const char *sql)
{
	struct err e = { 0 };
	int value = 0;

	ck_assert_msg(sqlite_int(db, scratch_path, sql, &value, &e) == 0, "%s: %s", sql, e.detail);
	return value;
}

static unsigned
files_in_directory(void)
{
	DIR *d = opendir(scratch_directory);
	unsigned count = 0;

	for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d))
		count += entry->d_name[0] != '.';
	closedir(d);
	return count;
}

/* 4,000 rows on some 2,000 pages; `t` is what a row holds. */
static sqlite3 *
open_large(void)
{
	struct err e = { 0 };
	sqlite3 *db = sqlite_open(scratch_path, NULL, &e);

	ck_assert_msg(db != NULL, "%s", e.detail);
	run(db,
	    "CREATE TABLE x(id INTEGER PRIMARY KEY, t INTEGER, filler BLOB);"
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
	    " INSERT INTO x SELECT i, 0, zeroblob(2000) FROM n");
	return db;
}

/* What changes while a copy is made, after `step` steps of it. */
static void
disturb(sqlite3 *db, int step)
{
	char sql[256];

	switch (step % 4) {
	case 0: /* a page that is copied already, one in the middle, one that is not */
		snprintf(sql, sizeof(sql), "UPDATE x SET t = %d WHERE id IN (1, 2000, 4000)", step);
		run(db, sql);
		break;
	case 1: /* it grows */
		snprintf(sql, sizeof(sql), "INSERT INTO x(t, filler) VALUES(%d, zeroblob(20000))", step);
		run(db, sql);
		break;
	case 2: /* the log is written back to the file, and begins anew */
		run(db, "PRAGMA wal_checkpoint(RESTART)");
		break;
	default: /* pages become free */
		snprintf(sql, sizeof(sql), "DELETE FROM x WHERE id = %d", 100 + step);
		run(db, sql);
		break;
	}
}

/* Its descriptor. */
static int
start_copy(struct sqlite_backend *source, sqlite3 *db)
{
	struct err e = { 0 };
	int descriptor;

	source->db = db;
	source->path = (char *)scratch_path;
	ck_assert_msg(sqlite_copy_start(&source->backend, &descriptor, &e) == 0, "%s", e.detail);
	return descriptor;
}

/* How many bytes it has; 0: it is not done. */
static uint64_t
step_copy(struct sqlite_backend *source)
{
	struct err e = { 0 };
	struct copy_progress progress;

	ck_assert_msg(sqlite_copy_step(&source->backend, &progress, &e) == 0, "%s", e.detail);
	return progress.whole ? progress.bytes : 0;
}

/* Writes the nameless file under a name, and closes it. */
static void
keep(int descriptor, uint64_t bytes)
{
	FILE *out = fopen(copy_path, "wb");
	char block[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(descriptor, block, sizeof(block), at)) > 0) {
		ck_assert_uint_eq(fwrite(block, 1, (size_t)n, out), (size_t)n);
		at += n;
	}
	fclose(out);
	close(descriptor);
	ck_assert_uint_eq((uint64_t)at, bytes);
}

/* A copy that is done, opened, which needs no log. */
static sqlite3 *
open_copy(int descriptor, uint64_t bytes)
{
	sqlite3 *copied;

	keep(descriptor, bytes);
	ck_assert_int_eq(sqlite3_open(copy_path, &copied), SQLITE_OK);
	ck_assert_int_eq(ask(copied, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	ck_assert_int_eq(ask(copied, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
	return copied;
}

START_TEST(a_copy_is_the_source_as_it_is_at_the_end)
{
	struct sqlite_backend source = { 0 };
	uint64_t bytes;
	sqlite3 *db = open_large();
	int descriptor = start_copy(&source, db), steps = 0;
	char sql[128];

	ck_assert_uint_eq(files_in_directory(), 2); /* the database and its log */
	while ((bytes = step_copy(&source)) == 0)
		disturb(db, steps++);
	ck_assert_int_gt(steps, 100);
	sqlite3_close(open_copy(descriptor, bytes));
	snprintf(sql, sizeof(sql), "ATTACH '%s' AS c", copy_path);
	run(db, sql);
	ck_assert_int_eq(ask(db, "SELECT count(*) FROM (SELECT * FROM x EXCEPT SELECT * FROM c.x)"), 0);
	ck_assert_int_eq(ask(db, "SELECT count(*) FROM (SELECT * FROM c.x EXCEPT SELECT * FROM x)"), 0);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(what_is_rolled_back_is_not_in_a_copy)
{
	struct sqlite_backend source = { 0 };
	uint64_t bytes;
	sqlite3 *db = open_large(), *copied;
	int descriptor = start_copy(&source, db), steps = 0;

	run(db, "PRAGMA cache_size=10"); /* so that a transaction reaches the log before its end */
	while ((bytes = step_copy(&source)) == 0)
		if (steps++ == 100)
			run(db, "BEGIN; UPDATE x SET t = 7; ROLLBACK");
	ck_assert_int_ge(steps, 200); /* it began anew */
	copied = open_copy(descriptor, bytes);
	ck_assert_int_eq(ask(copied, "SELECT count(*) FROM x WHERE t = 0"), 4000);
	sqlite3_close(copied);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(a_source_that_grows_faster_than_a_step_is_overtaken)
{
	struct sqlite_backend source = { 0 };
	sqlite3 *db = open_large();
	int descriptor = start_copy(&source, db), steps = 0;

	while (step_copy(&source) == 0) {
		ck_assert_int_lt(steps++, 99);
		run(db, "INSERT INTO x(t, filler) VALUES(1, zeroblob(200000))");
	}
	close(descriptor);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(a_copy_can_be_dropped_at_any_step)
{
	struct sqlite_backend source = { 0 };
	sqlite3 *db = open_large();
	int descriptor;

	for (int steps = 0; steps < 5; steps++) {
		descriptor = start_copy(&source, db);
		for (int i = 0; i < steps; i++)
			(void)step_copy(&source);
		sqlite_copy_drop(&source.backend);
		close(descriptor);
		run(db, "UPDATE x SET t = t + 1 WHERE id = 1");
	}
	sqlite_copy_drop(&source.backend);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_uint_eq(files_in_directory(), 1);
}
END_TEST

START_TEST(what_a_kill_has_left_is_overwritten)
{
	struct sqlite_backend source = { 0 };
	sqlite3 *db = open_large();
	char left[80];
	int descriptor;

	snprintf(left, sizeof(left), "%s-backup", scratch_path);
	ck_assert_int_eq(symlink(copy_path, left), 0); /* also one that leads elsewhere */
	descriptor = start_copy(&source, db);
	ck_assert_int_eq(access(copy_path, F_OK), -1);
	ck_assert_int_eq(access(left, F_OK), -1);
	sqlite_copy_drop(&source.backend);
	close(descriptor);
	sqlite3_close(db);
}
END_TEST

/* ---- the store's door */

static const struct store_op backup = { .kind = STORE_BACKUP };

START_TEST(copies_are_shared_counted_and_bounded)
{
	struct store *s = scratch_open();
	struct store_op ops[5];

	for (int i = 0; i < 4; i++) {
		ops[i] = scratch_run(s, backup);
		ck_assert_msg(ops[i].err.code == ERR_NONE, "%s", ops[i].err.detail);
		ck_assert_uint_gt(ops[i].copy->bytes, 0);
	}
	ck_assert_int_ne(ops[0].copy->descriptor, ops[1].copy->descriptor);
	ops[4] = scratch_run(s, backup);
	ck_assert_int_eq(ops[4].err.code, ERR_OVERLOADED);
	ck_assert_uint_gt(ops[4].err.retry_after_s, 0);
	ck_assert_ptr_null(ops[4].copy);
	/* The space comes back on a thread of its own. */
	store_op_fini(&ops[3]);
	for (int i = 0; i < 1000; i++) {
		ops[3] = scratch_run(s, backup);
		if (ops[3].err.code == ERR_NONE)
			break;
		usleep(1000);
	}
	ck_assert_int_eq(ops[3].err.code, ERR_NONE);
	for (int i = 0; i < 4; i++)
		store_op_fini(&ops[i]);
	store_close(s);
}
END_TEST

static void
hold(struct store *s, struct store_op *op, struct gate *gate)
{
	*op = gate_init(gate);
	scratch_submit(s, op);
	sem_wait(&gate->reached);
}

START_TEST(who_asks_meanwhile_gets_the_same_copy)
{
	struct store *s = scratch_open();
	struct store_op held, ops[2] = { backup, backup };
	struct gate gate;

	hold(s, &held, &gate);
	scratch_submit(s, &ops[0]);
	scratch_submit(s, &ops[1]);
	sem_post(&gate.open);
	scratch_wait(2);
	gate_fini(&gate);
	ck_assert_ptr_nonnull(ops[0].copy);
	ck_assert_ptr_eq(ops[0].copy, ops[1].copy);
	store_op_fini(&ops[0]);
	ck_assert_int_ne(fcntl(ops[1].copy->descriptor, F_GETFD), -1);
	store_op_fini(&ops[1]);
	store_op_fini(&held);
	store_close(s);
}
END_TEST

static void *
stop(void *s)
{
	store_stop(s);
	return NULL;
}

START_TEST(a_copy_that_the_end_overtakes_is_given_up)
{
	struct store *s;
	struct store_op held, op = backup;
	struct gate gate;
	pthread_t thread;

	sqlite3_close(open_large()); /* 2,000 pages: not done by the first step */
	s = scratch_open();
	hold(s, &held, &gate);
	scratch_submit(s, &op);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop, s), 0);
	usleep(50000); /* until store_stop has said so; later, the copy would just be there */
	sem_post(&gate.open);
	scratch_wait(1);
	pthread_join(thread, NULL);
	gate_fini(&gate);
	ck_assert_int_eq(op.err.code, ERR_SHUTTING_DOWN);
	store_op_fini(&op);
	store_op_fini(&held);
	store_close(s);
	ck_assert_uint_eq(files_in_directory(), 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("backup");
	TCase *t = tcase_create("backup");

	suite_add_tcase(s, t);
	if (scratch_is_postgresql())
		return s; /* all of this is about SQLite's files */
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_copy_is_the_source_as_it_is_at_the_end);
	tcase_add_test(t, what_is_rolled_back_is_not_in_a_copy);
	tcase_add_test(t, a_source_that_grows_faster_than_a_step_is_overtaken);
	tcase_add_test(t, a_copy_can_be_dropped_at_any_step);
	tcase_add_test(t, what_a_kill_has_left_is_overwritten);
	tcase_add_test(t, copies_are_shared_counted_and_bounded);
	tcase_add_test(t, who_asks_meanwhile_gets_the_same_copy);
	tcase_add_test(t, a_copy_that_the_end_overtakes_is_given_up);
	return s;
}
