/* SPDX-License-Identifier: MIT */
/*
 * The pages: the files of web/. They are built into the daemon (scripts/make_pages.py), or are read from a folder at
 * each request, while somebody edits them.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct web_bytes {
	size_t len;
	const char *bytes;
};

/* A file that is built in. */
struct web_file {
	const char *path;   /* below web/ */
	const char *digest; /* of its bytes */
	struct web_bytes plain, gzip;
};

/* The media type of files whose names end so. */
struct web_type {
	const char *ending, *media_type;
};

/* The build writes both; the last row's first member is NULL. */
extern const struct web_file web_files[];
extern const struct web_type web_types[];

/* The largest file that is read from a folder. */
#define WEB_FILE_BYTES_MAX ((size_t)4 << 20)

/* Where the files are. */
struct web {
	const char *root; /* the folder that they are read from; "": they are built in */
};

/* What a route answers: no file of the pages, one, or one or JSON, as the client prefers. */
enum web_route { WEB_ROUTE_NONE, WEB_ROUTE_PAGE, WEB_ROUTE_PAGE_OR_JSON };

/* As what a client takes a file of the pages. */
enum web_wish { WEB_UNWANTED, WEB_PLAIN, WEB_GZIP };

/* Whether `root` is a folder that can be looked at: else bad_parameter. */
int web_check_root(const char *root, struct err *e) MUST_CHECK;
