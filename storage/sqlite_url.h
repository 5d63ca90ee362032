/* SPDX-License-Identifier: MIT */
/* Which file a store's URL names. */
#ifndef STORAGE_SQLITE_URL_H
#define STORAGE_SQLITE_URL_H

#include "base/err.h"

/*
 * What "sqlite:PATH" names, as a part of `url`. NULL with `e` (bad_parameter) where it names no file: SQLite would keep
 * it in memory, or take it for a URI whose options turn off what durability needs.
 */
const char *sqlite_url_path(const char *url, struct err *e) MUST_CHECK;

/* Warns in the log where the file is in a file system that is itself in memory. */
void sqlite_url_warn_volatile(const char *path);

#endif
