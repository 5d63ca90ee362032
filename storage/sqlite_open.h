/* SPDX-License-Identifier: MIT */
/* Opening an SQLite file as a store: locking and durability. */
#pragma once

#include <sqlite3.h>

#include "storage/store.h"

/*
 * Opens `path`, creating it where there is none, locked against every other process, in WAL mode with synchronous=FULL,
 * with the newest schema. Meanwhile `opening` is told of the progress, unless it is NULL. NULL with `e`.
 */
sqlite3 *sqlite_open(const char *path, const struct store_opening *opening, struct err *e) MUST_CHECK;

/* Takes the lock, which the connection keeps. The first call that finds out whether the file is a database. */
int sqlite_lock(sqlite3 *db, const char *path, struct err *e) MUST_CHECK;

/*
 * Overwrites what a commit that failed may have left in the log, with a transaction that changes nothing, and flushes
 * it. -1: what is in the log is not known. No transaction may be open.
 */
int sqlite_overwrite_failed(sqlite3 *db, struct err *e) MUST_CHECK;
