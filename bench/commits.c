/* SPDX-License-Identifier: MIT */
/*
 * Raw SQLite, for `make bench-train`: one durable commit after another, as a service does that writes every update when
 * it comes.
 *
 *   commits STORE SECONDS
 *
 * STORE is a file that normd made and closed again, with one layer that was trained. Schema, page size and row are thus
 * normd's own, and the statement is the one by which normd writes an update, alone in its transaction; there is no
 * other work, no request, no thread. The first commits are not counted: until a checkpoint has come the log grows, for
 * which a flush takes longer. Prints one line as wrk.lua does.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP_COMMITS 1500             /* SQLite makes a checkpoint when the log has 1000 pages */
#define LATENCY_MAX_US ((size_t)1 << 20) /* longer ones count as this long */

static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			       "PRAGMA foreign_keys=ON";
static const char select_sql[] =
    "SELECT layer_id, features, length(running_mean) FROM state WHERE running_mean IS NOT NULL";
static const char update_sql[] =
    "UPDATE state SET revision = ?2, features = ?3, num_batches_tracked = ?4, count = ?5, running_mean = ?6,"
    " running_var = ?7 WHERE layer_id = ?1";

struct row {
	int64_t layer_id;
	int64_t features;
	int blob_bytes;
};

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
fail(sqlite3 *db, const char *what)
{
	fprintf(stderr, "commits: %s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail(db, sql);
	return stmt;
}

static sqlite3 *
open_store(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK)
		fail(db, path);
	return db;
}

static struct row
find_row(sqlite3 *db)
{
	sqlite3_stmt *stmt = prepare(db, select_sql);
	struct row row;

	if (sqlite3_step(stmt) != SQLITE_ROW)
		fail(db, "there is no trained layer");
	row = (struct row){ sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1), sqlite3_column_int(stmt, 2) };
	sqlite3_finalize(stmt);
	return row;
}

/* Every commit changes every byte of the statistics, as an update does. */
static void
commit_one(sqlite3 *db, sqlite3_stmt *update, const struct row *row, int64_t number, unsigned char *blob)
{
	memset(blob, (int)(number % 256), (size_t)row->blob_bytes);
	sqlite3_bind_int64(update, 1, row->layer_id);
	sqlite3_bind_int64(update, 2, number);
	sqlite3_bind_int64(update, 3, row->features);
	sqlite3_bind_int64(update, 4, number);
	sqlite3_bind_int64(update, 5, number);
	sqlite3_bind_blob(update, 6, blob, row->blob_bytes, SQLITE_STATIC);
	sqlite3_bind_blob(update, 7, blob, row->blob_bytes, SQLITE_STATIC);
	if (sqlite3_step(update) != SQLITE_DONE || sqlite3_changes(db) != 1)
		fail(db, "the commit");
	sqlite3_reset(update);
}

/* The latency, in µs, that `share` of all commits did not pass. */
static size_t
percentile(const uint64_t *commits_by_us, uint64_t commits, double share)
{
	uint64_t below = 0;
	size_t us = 0;

	while (us < LATENCY_MAX_US && (below += commits_by_us[us]) < (uint64_t)(share * (double)commits))
		us++;
	return us;
}

/*
 * Commits for as long as said, each one's time counted in commits_by_us; returns how many they were, and how long they
 * took.
 */
static uint64_t
race(sqlite3 *db, sqlite3_stmt *update, uint64_t *duration_us, uint64_t *commits_by_us)
{
	struct row row = find_row(db);
	unsigned char *blob = malloc((size_t)row.blob_bytes + 1);
	uint64_t start, before, after, commits = 0;
	int64_t number = 0;

	if (blob == NULL)
		fail(db, "no memory");
	while (number < WARM_UP_COMMITS)
		commit_one(db, update, &row, ++number, blob);
	start = after = now_us();
	while (after - start < *duration_us) {
		before = after;
		commit_one(db, update, &row, ++number, blob);
		after = now_us();
		commits++;
		commits_by_us[after - before < LATENCY_MAX_US ? after - before : LATENCY_MAX_US]++;
	}
	*duration_us = after - start;
	free(blob);
	return commits;
}

int
main(int argc, char **argv)
{
	uint64_t *commits_by_us = calloc(LATENCY_MAX_US + 1, sizeof(*commits_by_us));
	uint64_t duration_us, commits;
	sqlite3_stmt *update;
	sqlite3 *db;

	if (argc != 3 || atof(argv[2]) <= 0 || commits_by_us == NULL) {
		fprintf(stderr, "usage: commits STORE SECONDS\n");
		return 2;
	}
	duration_us = (uint64_t)(atof(argv[2]) * 1e6);
	db = open_store(argv[1]);
	update = prepare(db, update_sql);
	commits = race(db, update, &duration_us, commits_by_us);
	printf("{\"requests\":%llu,\"duration_us\":%llu,\"p50_us\":%zu,\"p99_us\":%zu}\n", (unsigned long long)commits,
	    (unsigned long long)duration_us, percentile(commits_by_us, commits, 0.5),
	    percentile(commits_by_us, commits, 0.99));
	free(commits_by_us);
	sqlite3_finalize(update);
	if (sqlite3_close(db) != SQLITE_OK)
		fail(db, "closing");
	return 0;
}
