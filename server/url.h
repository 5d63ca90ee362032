/* SPDX-License-Identifier: MIT */
/* From a raw request target to path segments and query parameters. Pure. */
#pragma once

#include "base/arena.h"
#include "handlers/request.h"

#define URL_SEGMENTS_MAX 8

/* The parts of a target (RFC 9112, section 3.2); they point into it. */
struct url_target {
	const char *authority; /* of the absolute form; else NULL */
	size_t authority_len;
	const char *path; /* begins with '/' or '?', or is "" or "*" */
};

struct url {
	const char *segments[URL_SEGMENTS_MAX];
	size_t segment_count; /* URL_SEGMENTS_MAX + 1: more than any route has */
	char *query;          /* as it was received, without the question mark; NULL: there is none */
};

/* Splits "/path", "http://host/path", "https://host/path" or "*"; bad_parameter for any other target. */
int url_split(const char *target, struct url_target *out, struct err *e) MUST_CHECK;

/*
 * Splits a path at '/' and '?' and percent-decodes each segment. A trailing slash is dropped. Errors (bad_parameter): a
 * percent sign without two hex digits, a %00. Memory is the arena's.
 */
int url_parse(struct arena *a, const char *path, struct url *out, struct err *e) MUST_CHECK;

/*
 * Splits url->query at '&' and '=' where it stands, and decodes each part, into out[0..*count). Errors (bad_parameter):
 * those of url_parse, and too many parameters.
 */
int url_parse_query(
    const struct url *url, struct query_item out[REQUEST_QUERY_MAX], unsigned *count, struct err *e) MUST_CHECK;
