/* SPDX-License-Identifier: MIT */
/*
 * A copy of an SQLite database while it is in use, made by the connection that uses it: a few pages at a time, between
 * transactions. What is committed meanwhile is written to the copy too, so the copy ends as the state that is committed
 * when its last page is copied.
 */
#pragma once

#include <sqlite3.h>

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
 * Functions of struct backend_ops. The copy is in a file without a name in the folder of the store: nothing is left of
 * it whatever happens. Once whole it is an SQLite file that needs no log beside it. A step takes about 50 µs.
 */
int sqlite_copy_start(struct backend *b, int *descriptor, struct err *e) MUST_CHECK;
int sqlite_copy_step(struct backend *b, struct copy_progress *progress, struct err *e) MUST_CHECK;
void sqlite_copy_drop(struct backend *b);
