/* SPDX-License-Identifier: MIT */
/*
 * A copy of an SQLite database while it is in use, made by the connection that uses it: a few pages at a time, between
 * transactions. What is committed meanwhile is written to the copy too, so the copy ends as the state that is committed
 * when its last page is copied.
 */
#ifndef STORAGE_SQLITE_COPY_H
#define STORAGE_SQLITE_COPY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/backend.h"

/* Zeroed: no copy is being made. */
struct sqlite_copy {
	sqlite3 *to;
	sqlite3_backup *backup;
	int descriptor; /* of the copy's file: the caller's */
	int page_bytes;
	int source_pages; /* at the last step */
	int grown_pages;  /* by how many it had grown since the step before */
};

/*
 * Begins a copy of `db`, whose file is `path`, in a file without a name in the same folder: nothing is left of it
 * whatever happens. The caller closes *descriptor after the copy has ended. -1 with `e` (storage_full,
 * storage_unavailable).
 */
int sqlite_copy_start(struct sqlite_copy *c, sqlite3 *db, const char *path, int *descriptor, struct err *e) MUST_CHECK;

/*
 * Copies some more pages, for about 50 µs, outside of a transaction of `db`. A whole copy is an SQLite file that needs
 * no log beside it. -1 with `e`: the copy is dropped.
 */
int sqlite_copy_step(struct sqlite_copy *c, struct copy_progress *progress, struct err *e) MUST_CHECK;

/* Gives up the copy, if one is being made. */
void sqlite_copy_drop(struct sqlite_copy *c);

#endif
