/* SPDX-License-Identifier: MIT */
/*
 * Whether an open database's files are still where they were opened: what is written to a deleted file is gone when it
 * is closed.
 */
#ifndef STORAGE_SQLITE_PLACE_H
#define STORAGE_SQLITE_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* A path and the file that was there. */
struct sqlite_place_file {
	char path[4096];
	bool known;
	dev_t dev;
	ino_t ino;
};

struct sqlite_place {
	struct sqlite_place_file database, wal;
};

/*
 * Notes which files are at `path` and `path`-wal. One that is not there, as it may be with another VFS, is not asked
 * for later.
 */
void sqlite_place_init(struct sqlite_place *p, const char *path);

/* 0 while these very files are there; else -1 with `e` (storage_unavailable). Two calls of stat(2). */
int sqlite_place_check(const struct sqlite_place *p, struct err *e) MUST_CHECK;

#endif
