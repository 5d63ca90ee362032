/* SPDX-License-Identifier: MIT */
/* Whether an open database's files are still in their place: what is written to a deleted file is lost at its close. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "storage/store.h"

/* The database and its log: where each is, and which file is there. */
struct sqlite_place {
	struct {
		char path[4096];
		bool known;
		dev_t dev;
		ino_t ino;
	} files[2];
};

/* Notes which files are at `path` and `path`-wal. A file that is not there (another VFS may have it) is not checked. */
void sqlite_place_init(struct sqlite_place *p, const char *path);

/* Their sizes, and those of their file system. What cannot be found out is left as it is. Any thread. */
void sqlite_place_measure(const struct sqlite_place *p, struct store_figures *out);

/* Checks that the same files are there (storage_unavailable), by two calls of stat(2). */
int sqlite_place_check(const struct sqlite_place *p, struct err *e) MUST_CHECK;
