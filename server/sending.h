/* SPDX-License-Identifier: MIT */
/*
 * The answer of an exchange: what is known before it is made, and how libmicrohttpd gets it. From the event loop of the
 * connection.
 */
#pragma once

#include <microhttpd.h>

#include "base/buf.h"
#include "server/answer.h"
#include "server/origins.h"

struct server;

/* Part of its exchange. */
struct sending {
	struct answer_wishes wishes; /* the codings are the caller's to fill in */
	struct buf allow;            /* the methods of the route, for the Allow header; empty: none */
	struct origins_grant grant;
	bool close;   /* the connection must be closed after the answer */
	bool ahead;   /* it was sent by sending_refuse_ahead; what comes is dropped, and nothing more is sent */
	bool at_once; /* the body is not read: its end is unknown, it is too large, or the client waits with it */
	struct answer answer;

	/* For the log and the metrics. */
	unsigned status;     /* 0: nothing was answered */
	enum err_code error; /* that was answered, or ERR_NONE */
	unsigned shed;       /* that error's */
};

/* The request's id and target are read when the answer is made, whose memory is asked for from `memory`. */
void sending_init(struct sending *s, const struct answer_wishes *wishes, struct budget *memory);
void sending_fini(struct sending *s);

/*
 * Answers the request with its error or its reply; if there is no memory for that and nothing was stored, with
 * overloaded. MHD_NO closes the connection without an answer: the change is stored, so no error may be sent.
 */
enum MHD_Result sending_queue(
    struct sending *s, const struct server *server, struct MHD_Connection *connection, struct request *rq) MUST_CHECK;

/*
 * Answers the request's error now, while the body comes, and ends what is sent on the connection. The body must then be
 * taken and dropped, up to a limit: a close with unread bytes would be a reset, which may lose the answer.
 */
void
sending_refuse_ahead(struct sending *s, const struct server *server, int fd, const struct request *rq, bool with_body);
