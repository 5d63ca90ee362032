/* SPDX-License-Identifier: MIT */
/*
 * Checks a request's head before a byte of its body is read: headers, route, the body's length, type and coding, and
 * what the client accepts as an answer. From the connection's event loop.
 */
#pragma once

#include <microhttpd.h>

#include "server/headers.h"
#include "server/sending.h"

struct connection;
struct intake;
struct route;

struct head {
	const struct server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	const char *target;                 /* as it was received */
	const char *method, *url, *version; /* in libmicrohttpd's memory */
	struct headers headers;             /* guard_head's */
};

/* The body's announced length; 0 without one, or when it is chunked. */
uint64_t head_announced_length(const struct headers *headers);

/* Whether a body follows, of at least one byte or of unknown length. */
bool head_has_body(const struct headers *headers);

/* Whether the client waits for a "100 Continue" before it sends the body. */
bool head_waits_with_body(const struct headers *headers);

/*
 * Refuses a request in which the scan found a fault, as far as it was received: bad_parameter,
 * http_version_not_supported, target_too_long or head_too_large. The connection must then end.
 */
int head_check_scan(const struct intake *in, const char *target, struct err *e) MUST_CHECK;

/* Checks that there is room for an answer; else target_too_long or head_too_large, which direct_answer must send. */
int head_check_room(struct intake *in, struct MHD_Connection *mhd, const char *target, struct err *e) MUST_CHECK;

/* Reads the head into the request, and how to answer into `s`. -1 with `e`, also if it is guard_head's: refused. */
int head_read(const struct head *h, struct request *rq, struct sending *s, struct err *e) MUST_CHECK;

/* Refuses more bytes of a body, announced or received, than the route's limit allows: body_too_large. */
int head_check_size(const struct server *server, const struct route *route, uint64_t bytes, struct err *e) MUST_CHECK;
