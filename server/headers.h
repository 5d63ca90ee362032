/* SPDX-License-Identifier: MIT */
/*
 * The headers of a request that normd reads, collected in one pass (guard.h): a lookup by name would go through all
 * headers a dozen times a request.
 */
#pragma once

#include <stddef.h>

#include "handlers/idempotency.h"
#include "server/oip_header.h"

/* X(name, text) */
#define HEADERS(X) \
	X(HOST, "Host") \
	X(ORIGIN, "Origin") \
	X(CONTENT_LENGTH, "Content-Length") \
	X(TRANSFER_ENCODING, "Transfer-Encoding") \
	X(CONTENT_TYPE, "Content-Type") \
	X(CONTENT_ENCODING, "Content-Encoding") \
	X(EXPECT, "Expect") \
	X(AUTHORIZATION, "Authorization") \
	X(ACCEPT, "Accept") \
	X(ACCEPT_ENCODING, "Accept-Encoding") \
	X(IF_MATCH, "If-Match") \
	X(IF_NONE_MATCH, "If-None-Match") \
	X(IF_RANGE, "If-Range") \
	X(RANGE, "Range") \
	X(IDEMPOTENCY_KEY, IDEMPOTENCY_HEADER) \
	X(OIP, OIP_HEADER) \
	X(MIN_REVISION, "Normd-Min-Revision") \
	X(REQUEST_ID, "X-Request-Id") \
	X(TRACEPARENT, "traceparent") \
	X(PREFLIGHT_METHOD, "Access-Control-Request-Method") \
	X(FETCH_SITE, "Sec-Fetch-Site")

enum header {
#define HEADER_ENUM(name, text) HEADER_##name,
	HEADERS(HEADER_ENUM)
#undef HEADER_ENUM
	    HEADER_COUNT
};

struct headers {
	const char *value[HEADER_COUNT]; /* the first of each, in the connection's memory; NULL: there is none */
	unsigned count[HEADER_COUNT];
};

/* Adds a header. `value` ends with a NUL and is kept. */
void headers_add(struct headers *h, const char *name, size_t name_len, const char *value);
