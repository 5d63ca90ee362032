/*
 * Backups below HTTP: that a copy which is made while its source changes is the source as it is at the end, and who gets which copy.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite_copy.h"
#include "storage/sqlite_open.h"
#include "storage/store.h"
#include "tests/unit/opaque.h"

static char directory[] = "/tmp/normd-unit-XXXXXX";
static char path[64], copy_path[64], url[128];

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s.db", directory);
	snprintf(copy_path, sizeof(copy_path), "%s/c.db", directory);
	snprintf(url, sizeof(url), "sqlite:%s", path);
}

static void
teardown(void)
{
	unlink(path);
	unlink(copy_path);
	rmdir(directory);
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

	ck_assert_msg(sqlite_int(db, path, sql, &value, &e) == 0, "%s: %s", sql, e.detail);
	return value;
}

static unsigned
files_in_directory(void)
{
	DIR *d = opendir(directory);
	unsigned count = 0;

	for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d))
		count += entry->d_name[0] != '.';
	closedir(d);
	return count;
}

/* The nameless file, under a name. */
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
	ck_assert_uint_eq((uint64_t)at, bytes);
}

/* 4,000 rows on some 2,000 pages; `t` is what a row holds. */
static sqlite3 *
open_large(void)
{
	struct err e = { 0 };
	sqlite3 *db = sqlite_open(path, &e);

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

START_TEST(test_a_copy_is_the_source_as_it_is_at_the_end)
{
	struct sqlite_copy copy = { 0 };
	struct err e = { 0 };
	uint64_t bytes = 0;
	int descriptor, steps = 0;
	sqlite3 *db = open_large(), *copied = NULL;

	ck_assert_int_eq(sqlite_copy_start(&copy, db, path, &descriptor, &e), 0);
	ck_assert_uint_eq(files_in_directory(), 2); /* the database and its log */
	while (bytes == 0) {
		ck_assert_msg(sqlite_copy_step(&copy, &bytes, &e) == 0, "%s", e.detail);
		if (bytes == 0)
			disturb(db, steps++);
	}
	ck_assert_int_gt(steps, 100);
	keep(descriptor, bytes);
	close(descriptor);
	ck_assert_int_eq(sqlite3_open(copy_path, &copied), SQLITE_OK);
	ck_assert_int_eq(ask(copied, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	ck_assert_int_eq(ask(copied, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
	sqlite3_close(copied);
	snprintf(url, sizeof(url), "ATTACH '%s' AS c", copy_path);
	run(db, url);
	ck_assert_int_eq(ask(db, "SELECT count(*) FROM (SELECT * FROM x EXCEPT SELECT * FROM c.x)"), 0);
	ck_assert_int_eq(ask(db, "SELECT count(*) FROM (SELECT * FROM c.x EXCEPT SELECT * FROM x)"), 0);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(test_what_is_rolled_back_is_not_in_a_copy)
{
	struct sqlite_copy copy = { 0 };
	struct err e = { 0 };
	uint64_t bytes = 0;
	int descriptor, steps = 0;
	sqlite3 *db = open_large(), *copied = NULL;

	ck_assert_int_eq(sqlite_copy_start(&copy, db, path, &descriptor, &e), 0);
	run(db, "PRAGMA cache_size=10"); /* so that a transaction reaches the log before its end */
	for (; bytes == 0; steps++) {
		ck_assert_msg(sqlite_copy_step(&copy, &bytes, &e) == 0, "%s", e.detail);
		if (bytes == 0 && steps == 100)
			run(db, "BEGIN; UPDATE x SET t = 7; ROLLBACK");
	}
	ck_assert_int_gt(steps, 200); /* it began anew */
	keep(descriptor, bytes);
	close(descriptor);
	ck_assert_int_eq(sqlite3_open(copy_path, &copied), SQLITE_OK);
	ck_assert_int_eq(ask(copied, "SELECT count(*) FROM x WHERE t = 0"), 4000);
	ck_assert_int_eq(ask(copied, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	sqlite3_close(copied);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(test_a_source_that_grows_faster_than_a_step_is_overtaken)
{
	struct sqlite_copy copy = { 0 };
	struct err e = { 0 };
	uint64_t bytes = 0;
	int descriptor, steps = 0;
	sqlite3 *db = open_large();

	ck_assert_int_eq(sqlite_copy_start(&copy, db, path, &descriptor, &e), 0);
	for (; bytes == 0; steps++) {
		ck_assert_int_lt(steps, 100);
		ck_assert_msg(sqlite_copy_step(&copy, &bytes, &e) == 0, "%s", e.detail);
		run(db, "INSERT INTO x(t, filler) VALUES(1, zeroblob(200000))");
	}
	close(descriptor);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(test_a_copy_can_be_dropped_at_any_step)
{
	struct sqlite_copy copy = { 0 };
	struct err e = { 0 };
	uint64_t bytes;
	int descriptor;
	sqlite3 *db = open_large();

	for (int steps = 0; steps < 5; steps++) {
		ck_assert_int_eq(sqlite_copy_start(&copy, db, path, &descriptor, &e), 0);
		for (int i = 0; i < steps; i++)
			ck_assert_int_eq(sqlite_copy_step(&copy, &bytes, &e), 0);
		sqlite_copy_drop(&copy);
		close(descriptor);
		run(db, "UPDATE x SET t = t + 1 WHERE id = 1");
	}
	sqlite_copy_drop(&copy);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_uint_eq(files_in_directory(), 1);
}
END_TEST

START_TEST(test_what_a_kill_has_left_is_overwritten)
{
	struct sqlite_copy copy = { 0 };
	struct err e = { 0 };
	int descriptor;
	char left[80];
	sqlite3 *db = open_large();

	snprintf(left, sizeof(left), "%s-backup", path);
	ck_assert_int_eq(symlink(copy_path, left), 0); /* also one that leads elsewhere */
	ck_assert_int_eq(sqlite_copy_start(&copy, db, path, &descriptor, &e), 0);
	ck_assert_int_eq(access(copy_path, F_OK), -1);
	ck_assert_int_eq(access(left, F_OK), -1);
	sqlite_copy_drop(&copy);
	close(descriptor);
	sqlite3_close(db);
}
END_TEST

/* ---- the store's door */

static struct store *
open_store(void)
{
	struct store_options options = {
		.url = url, .queue_max = 100, .cache_bytes_max = 1 << 20, .definitions = opaque_definitions
	};
	struct err e = { 0 };
	struct store *s = store_open(&options, &e);

	ck_assert_msg(s != NULL, "%s", e.detail);
	return s;
}

static void
post(struct store_op *op)
{
	sem_post(op->done_arg);
}

static void
back_up(struct store *s, struct store_op *op, sem_t *done)
{
	struct err e = { 0 };

	*op = (struct store_op){ .kind = STORE_BACKUP, .done = post, .done_arg = done };
	ck_assert_int_eq(store_submit(s, op, &e), 0);
}

START_TEST(test_copies_are_shared_counted_and_bounded)
{
	struct store *s = open_store();
	struct store_op ops[6];
	sem_t done;

	sem_init(&done, 0, 0);
	for (int i = 0; i < 4; i++) {
		back_up(s, &ops[i], &done);
		sem_wait(&done);
		ck_assert_msg(ops[i].err.code == ERR_NONE, "%s", ops[i].err.detail);
		ck_assert_uint_gt(ops[i].copy->bytes, 0);
	}
	ck_assert_int_ne(ops[0].copy->descriptor, ops[1].copy->descriptor);
	back_up(s, &ops[4], &done);
	sem_wait(&done);
	ck_assert_int_eq(ops[4].err.code, ERR_OVERLOADED);
	ck_assert_uint_gt(ops[4].err.retry_after_s, 0);
	ck_assert_ptr_null(ops[4].copy);
	/* The space comes back on a thread of its own. */
	store_op_fini(&ops[3]);
	for (int i = 0; i < 1000; i++) {
		back_up(s, &ops[3], &done);
		sem_wait(&done);
		if (ops[3].err.code == ERR_NONE)
			break;
		usleep(1000);
	}
	ck_assert_int_eq(ops[3].err.code, ERR_NONE);
	for (int i = 0; i < 4; i++)
		store_op_fini(&ops[i]);
	store_close(s);
	sem_destroy(&done);
}
END_TEST

/* Holds the store's thread in a callback until it is let go. */
struct gate {
	sem_t reached, open;
};

static void
wait_at_gate(struct store_op *op)
{
	struct gate *gate = op->done_arg;

	sem_post(&gate->reached);
	sem_wait(&gate->open);
}

static void
hold(struct store *s, struct store_op *op, struct gate *gate)
{
	struct err e = { 0 };

	sem_init(&gate->reached, 0, 0);
	sem_init(&gate->open, 0, 0);
	*op = (struct store_op){ .kind = STORE_MODEL_LIST, .limit = 1, .done = wait_at_gate, .done_arg = gate };
	ck_assert_int_eq(store_submit(s, op, &e), 0);
	sem_wait(&gate->reached);
}

START_TEST(test_who_asks_meanwhile_gets_the_same_copy)
{
	struct store *s = open_store();
	struct store_op held, ops[2];
	struct gate gate;
	sem_t done;

	sem_init(&done, 0, 0);
	hold(s, &held, &gate);
	back_up(s, &ops[0], &done);
	back_up(s, &ops[1], &done);
	sem_post(&gate.open);
	sem_wait(&done);
	sem_wait(&done);
	ck_assert_ptr_nonnull(ops[0].copy);
	ck_assert_ptr_eq(ops[0].copy, ops[1].copy);
	store_op_fini(&ops[0]);
	ck_assert_int_ne(fcntl(ops[1].copy->descriptor, F_GETFD), -1);
	store_op_fini(&ops[1]);
	store_op_fini(&held);
	store_close(s);
	sem_destroy(&done);
}
END_TEST

static void *
stop(void *s)
{
	store_stop(s);
	return NULL;
}

START_TEST(test_a_copy_that_the_end_overtakes_is_given_up)
{
	struct store *s;
	struct store_op held, op;
	struct gate gate;
	pthread_t thread;
	sem_t done;

	sqlite3_close(open_large()); /* 2,000 pages: not done by the first step */
	s = open_store();
	sem_init(&done, 0, 0);
	hold(s, &held, &gate);
	back_up(s, &op, &done);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop, s), 0);
	usleep(50000); /* until store_stop has said so; later, the copy would just be there */
	sem_post(&gate.open);
	sem_wait(&done);
	pthread_join(thread, NULL);
	ck_assert_int_eq(op.err.code, ERR_SHUTTING_DOWN);
	store_op_fini(&op);
	store_op_fini(&held);
	store_close(s);
	ck_assert_uint_eq(files_in_directory(), 1);
	sem_destroy(&done);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("backup");
	TCase *t = tcase_create("backup");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_a_copy_is_the_source_as_it_is_at_the_end);
	tcase_add_test(t, test_what_is_rolled_back_is_not_in_a_copy);
	tcase_add_test(t, test_a_source_that_grows_faster_than_a_step_is_overtaken);
	tcase_add_test(t, test_a_copy_can_be_dropped_at_any_step);
	tcase_add_test(t, test_what_a_kill_has_left_is_overwritten);
	tcase_add_test(t, test_copies_are_shared_counted_and_bounded);
	tcase_add_test(t, test_who_asks_meanwhile_gets_the_same_copy);
	tcase_add_test(t, test_a_copy_that_the_end_overtakes_is_given_up);
	suite_add_tcase(s, t);
	return s;
}
