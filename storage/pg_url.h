/* SPDX-License-Identifier: MIT */
/* postgresql:// URLs, as libpq reads them ("Connection URIs"). No message shows a password. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Whether it begins like one. */
bool pg_url_is(const char *url);

/* Checks how it is written, not where it leads (bad_parameter). */
int pg_url_check(const char *url, struct err *e) MUST_CHECK;

/*
 * The server's settings that a connection begins with (the parameter "options"): ours, then those of the URL, which
 * win. malloc'ed; NULL: no memory, or not a URL.
 */
char *pg_url_options(const char *url, const char *ours) MUST_CHECK;
