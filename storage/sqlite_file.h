/* SPDX-License-Identifier: MIT */
/* Whether a database can be at a path, as far as that shows from outside, without SQLite. Nothing is changed. */
#pragma once

#include "base/err.h"

/* Refuses a device or a pipe (storage_unavailable): it takes all that is written and keeps nothing. */
int sqlite_file_check_kind(const char *path, struct err *e) MUST_CHECK;

/* Refuses a path that is a folder, or is in none (storage_unavailable). */
int sqlite_file_check_folder(const char *path, struct err *e) MUST_CHECK;

/* All that can be said before the database is opened: also permissions, and the file's first bytes. */
int sqlite_file_check(const char *path, struct err *e) MUST_CHECK;
