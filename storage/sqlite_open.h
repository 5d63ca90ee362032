/* SPDX-License-Identifier: MIT */
/*
 * Opening an SQLite file as a store: locking, durability, schema. Apart from the statements, which are in
 * sqlite_statements.h.
 */
#ifndef STORAGE_SQLITE_OPEN_H
#define STORAGE_SQLITE_OPEN_H

#include <sqlite3.h>

#include "base/err.h"

/*
 * Opens `path`, creating it where there is none, locked against every other process, in WAL mode with synchronous=FULL,
 * with the newest schema. NULL with `e`.
 */
sqlite3 *sqlite_open(const char *path, struct err *e) MUST_CHECK;

/* ---- its steps, for whoever opens a store otherwise (sqlite_read.h) */

/* Takes the lock that is then kept, and sees for the first time whether this is a database at all. */
int sqlite_lock(sqlite3 *db, const char *path, struct err *e) MUST_CHECK;

/* That the file is ours, or new and empty (then *version is 0), and not from a later version. */
int sqlite_check_owner(sqlite3 *db, const char *path, int *version, struct err *e) MUST_CHECK;

/* Brings the schema from one version to another, or to the newest; without marking the file. */
int sqlite_make_schema(sqlite3 *db, int from, int to, struct err *e) MUST_CHECK;

/* ---- what all of this room's files need */

/* Turns the connection's last failure into an error of the store; `what` says what failed. Returns -1. */
int sqlite_failed(sqlite3 *db, const char *what, struct err *e);

/*
 * Overwrites what a commit that failed may have left in the log, with a transaction that changes nothing, and flushes
 * that. -1: what is in the log is not known. No transaction may be open.
 */
int sqlite_overwrite_failed(sqlite3 *db, struct err *e) MUST_CHECK;

/* The whole number that a query gives in its first column; an error names the file by `path`. */
int sqlite_int(sqlite3 *db, const char *path, const char *sql, int *out, struct err *e) MUST_CHECK;

/* Runs SQL without results. */
int sqlite_run(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;

#endif
