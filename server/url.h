/* From a raw request target to path segments and query parameters. Pure. */
#ifndef SERVER_URL_H
#define SERVER_URL_H

#include "base/arena.h"
#include "handlers/request.h"

#define URL_SEGMENTS_MAX 8

struct url {
	const char *segments[URL_SEGMENTS_MAX];
	size_t segment_count; /* URL_SEGMENTS_MAX + 1: more than that, which no route has */
	struct query_item query[REQUEST_QUERY_MAX];
	unsigned query_count;
};

/*
 * Splits at '/', '?', '&' and '=' first and percent-decodes each part then. A trailing slash is dropped. Errors (bad_parameter): a target
 * that does not begin with '/', a percent sign without two hex digits, a %00, too many query parameters. Memory is the arena's.
 */
int url_parse(struct arena *a, const char *target, struct url *out, struct err *e) MUST_CHECK;

#endif
