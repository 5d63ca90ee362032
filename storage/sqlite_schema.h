/* SPDX-License-Identifier: MIT */
/* The schema of a store's file: how it is made, recognized and brought to the newest version. */
#pragma once

#include <sqlite3.h>

#include "base/err.h"

#define SQLITE_APPLICATION_ID 0x6e726d64 /* "nrmd" */
#define SQLITE_MIGRATION_ID 0x6e726d6d   /* "nrmm": an unfinished copy (normd migrate) */

/*
 * The head of a database file (sqlite.org/fileformat2.html): where it has the application id, and where two bytes say
 * whether its transactions are in a log: 1 for no, 2 for yes.
 */
#define SQLITE_HEAD_BYTES 100
#define SQLITE_HEAD_APPLICATION_ID 68
#define SQLITE_HEAD_JOURNAL_VERSION 18

/* Checks that the file is a store, or new and empty (*version is 0), and not from a newer normd. */
int sqlite_check_owner(sqlite3 *db, const char *path, int *version, struct err *e) MUST_CHECK;

/* Checks that the schema is the one that this program makes. */
int sqlite_check_newest(int version, const char *path, struct err *e) MUST_CHECK;

/* Brings the schema from one version to another, at most to the newest. Does not mark the file. */
int sqlite_make_schema(sqlite3 *db, int from, int to, struct err *e) MUST_CHECK;

/* Runs all missing migrations in one transaction, and marks the file: an interrupted upgrade leaves the old file. */
int sqlite_migrate(sqlite3 *db, int version, struct err *e) MUST_CHECK;
