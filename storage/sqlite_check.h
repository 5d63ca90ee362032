/* SPDX-License-Identifier: MIT */
/* Whether an opened database is a sound store: the file's structure, and what normd requires of each row. */
#pragma once

#include <sqlite3.h>

#include "storage/offline.h"

/*
 * Reports every damage to u->found, and counts it; closes the database. -1 with `e` if it cannot go on for another
 * reason (no memory). NULL, a database that did not open: -1.
 */
int sqlite_check(sqlite3 *db, const struct offline_work *u, struct offline_report *report, struct err *e) MUST_CHECK;
