/* SPDX-License-Identifier: MIT */
/*
 * A request's head: its headers are guarded, its route is found, and the body's length, type and coding and what the
 * client will take of an answer are checked, before a byte of the body is read.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <microhttpd.h>

#include "server/headers.h"
#include "server/sending.h"

struct connection;
struct intake;

struct head {
	const struct server *server;
	struct MHD_Connection *mhd;
	const struct connection *connection;
	struct intake *intake;              /* the connection's */
	size_t size;                        /* of request line and headers; 0: libmicrohttpd does not tell */
	const char *target;                 /* as it was sent */
	const char *method, *url, *version; /* in libmicrohttpd's memory */
	struct headers headers;             /* guard_head's */
	struct err framing;                 /* likewise: the head must be refused */
};

/* The body's announced length; 0 without one, or when it is chunked. */
uint64_t head_announced_length(const struct headers *headers);

/* Whether there is a body, with which the client waits until it is told to go on. */
bool head_waits_with_body(const struct headers *headers);

/*
 * Whether the head is within its bounds and leaves room for an answer: else target_too_long or head_too_large, to be
 * answered by direct_answer.
 */
int head_check_bounds(const struct head *h, struct err *e) MUST_CHECK;

/*
 * Fills `e` for a head that is too large, by what of it is the larger part. Gives -1, so that a function can end with
 * it.
 */
int head_refuse(const char *target, struct err *e);

/* Fills `e` for a request that libmicrohttpd refuses with `status`. Likewise. */
int head_refuse_as(unsigned status, struct err *e);

/* Reads it into the request, and into `s` what the answer must be like. -1 with `e`: the request is refused. */
int head_read(const struct head *h, struct request *rq, struct sending *s, struct err *e) MUST_CHECK;

/* body_too_large, where `bytes` of a body, announced or come, are more than may be. */
int head_check_size(const struct server *server, uint64_t bytes, struct err *e) MUST_CHECK;

#endif
