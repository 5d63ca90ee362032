/* SPDX-License-Identifier: MIT */
/* Opening an SQLite file as a store: locking and durability. */
#pragma once

#include <sqlite3.h>

#include "storage/store.h"

/*
 * Opens `path`, creating it for its owner alone where there is none, locked against every other process, in WAL mode
 * with synchronous=FULL, with the newest schema. Meanwhile `opening` is told of the progress, unless it is NULL. NULL
 * with `e`.
 */
sqlite3 *sqlite_open(const char *path, const struct store_opening *opening, struct err *e) MUST_CHECK;

/* Takes the lock, which the connection keeps. The first call that finds out whether the file is a database. */
int sqlite_lock(sqlite3 *db, const char *path, struct err *e) MUST_CHECK;

/*
 * Writes the first page as it is: within the transaction that is open, or as one that is flushed. After a commit that
 * failed, that overwrites what the commit may have left in the log; with -1 it is not known what the log holds.
 */
int sqlite_write_again(sqlite3 *db, struct err *e) MUST_CHECK;
