/* SPDX-License-Identifier: MIT */
/* Opening a store's file to read it while no daemon has it, without changing anything. */
#ifndef STORAGE_SQLITE_READ_H
#define STORAGE_SQLITE_READ_H

#include <sqlite3.h>

#include "base/err.h"

/*
 * Opens the store that is at `path`, locked against every other process. Nothing is made, migrated or written, also not
 * when it is closed: a log that was left is read, and stays. NULL with `e`, also where there is no store in the file
 * yet.
 */
sqlite3 *sqlite_read_open(const char *path, struct err *e) MUST_CHECK;

/*
 * Opens a file to read its bytes, and locks out whoever would write to it. Refused where somebody has it open to write,
 * and where a log beside it holds changes that its bytes lack. Gives the descriptor, with which the lock ends; -1 with
 * `e`.
 */
int sqlite_read_hold(const char *path, struct err *e) MUST_CHECK;

/* The store in a file that is held so. NULL with `e`, as above. */
sqlite3 *sqlite_read_open_frozen(const char *path, struct err *e) MUST_CHECK;

#endif
