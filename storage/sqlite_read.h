/* SPDX-License-Identifier: MIT */
/* Opening a store's file to read it while no daemon has it, without changing anything. */
#pragma once

#include <sqlite3.h>

#include "base/err.h"

/*
 * Opens the store at `path`, locked against every other process. Makes, migrates and writes nothing, not even when it
 * is closed: it reads a log that was left behind and leaves it there. NULL with `e`, also if no store was made in the
 * file yet.
 */
sqlite3 *sqlite_read_open(const char *path, struct err *e) MUST_CHECK;

/*
 * Opens a file to read its bytes, and locks out writers. Fails if another process has it open to write, or if a log
 * beside it holds changes that its bytes lack. Returns the descriptor, which holds the lock; -1 with `e`.
 */
int sqlite_read_hold(const char *path, struct err *e) MUST_CHECK;

/* The store in a file that sqlite_read_hold holds. NULL with `e`. */
sqlite3 *sqlite_read_open_frozen(const char *path, struct err *e) MUST_CHECK;
