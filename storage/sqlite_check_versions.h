/* SPDX-License-Identifier: MIT */
/*
 * Whether versions are sound: what refers to them, the marks of the states that are kept for them, and that their
 * states together give their digests.
 */
#pragma once

#include <sqlite3.h>

#include "storage/offline.h"

/* Queries each of whose rows is a finding: a text. */
extern const char *const versions_check_sql[];
extern const size_t versions_check_count;

/*
 * Computes the digests of all versions and compares them; work->found is not called, but `found`, for each that
 * differs. -1 with `e`: no memory, or the rows cannot be read.
 */
int versions_check_digests(sqlite3 *db, const struct offline_work *work, void (*found)(void *arg, const char *damage),
    void *arg, struct err *e) MUST_CHECK;
