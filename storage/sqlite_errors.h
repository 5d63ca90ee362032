/* SPDX-License-Identifier: MIT */
/* What SQLite's failures are as errors of the store, in an operator's words; and running SQL that is used once. */
#pragma once

#include <sqlite3.h>

#include "base/err.h"

/* Turns the connection's last failure into an error; `what` failed. Returns -1. */
int sqlite_failed(sqlite3 *db, const char *what, struct err *e);

/* The same for a failure to open or first read the file at `path`: says why, and what to do. Returns -1. */
int sqlite_refuse(sqlite3 *db, const char *path, struct err *e);
int sqlite_refuse_readonly(const char *path, struct err *e);

/* Runs SQL without results. */
int sqlite_run(sqlite3 *db, const char *sql, struct err *e) MUST_CHECK;

/* The whole number in the first column of a query's first row. An error names the file by `path`. */
int sqlite_int(sqlite3 *db, const char *path, const char *sql, int *out, struct err *e) MUST_CHECK;
