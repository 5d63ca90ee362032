/* SPDX-License-Identifier: MIT */
/* Which file a store's URL names. */
#pragma once

#include "base/err.h"

/*
 * The PATH of "sqlite:PATH", as a part of `url`. NULL with `e` (bad_parameter) if it is not a file's: SQLite would keep
 * it in memory, or take it for a URI with options that turn off durability.
 */
const char *sqlite_url_path(const char *url, struct err *e) MUST_CHECK;

/* Warns in the log if the file system is in memory. */
void sqlite_url_warn_volatile(const char *path);
