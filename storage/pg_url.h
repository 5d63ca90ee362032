/* SPDX-License-Identifier: MIT */
/* postgresql:// URLs, as libpq reads them ("Connection URIs"). No message shows a password. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "storage/store.h"

/* Whether it begins like one. */
bool pg_url_is(const char *url);

/* Checks how it is written, not where it leads (bad_parameter). */
int pg_url_check(const char *url, struct err *e) MUST_CHECK;

/* Writes it without its passwords, cut where it is too long. */
void pg_url_show(const char *url, char *out, size_t size);

/* As store_find_files: by the URL, or where libpq looks by itself. */
void pg_url_files(const char *url, store_file *one, void *arg);

/*
 * The server's settings that a connection begins with (the parameter "options"): ours, then those of the URL, which
 * win. malloc'ed; NULL: no memory, or not a URL.
 */
char *pg_url_options(const char *url, const char *ours) MUST_CHECK;
