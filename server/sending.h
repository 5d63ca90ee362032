/* SPDX-License-Identifier: MIT */
/* The answer of an exchange on its way: what is known of it before it is made, and how it is given to libmicrohttpd. */
#ifndef SERVER_SENDING_H
#define SERVER_SENDING_H

#include <microhttpd.h>

#include "base/buf.h"
#include "server/answer.h"
#include "server/origins.h"

struct server;

/* It belongs to its exchange, and must live as long. */
struct sending {
	struct answer_wishes wishes; /* the codings are the caller's to fill in */
	struct buf allow;            /* the methods of the route, where they are to be said */
	struct origins_grant grant;
	bool close; /* the connection must be closed after the answer */
	bool
	    /* the body is not read: nobody can say where it ends, it is too large, or the client waits with it */
	    at_once;
	struct answer answer;

	/* What came of it, for the log. */
	unsigned status; /* 0: nothing was answered */
	char code[32];   /* of the error that was answered */
};

/* `request_id` is read when the answer is made, whose memory is asked for from `memory`. */
void sending_init(struct sending *s, const char *request_id, struct budget *memory);
void sending_fini(struct sending *s);

/* Takes memory that the answer cannot do without, while the request can still be refused for want of it: overloaded. */
int sending_reserve(struct sending *s, struct err *e);

/*
 * Answers the request as it stands: with its error, or its reply; where there is no memory for that, and nothing was
 * stored, overloaded. MHD_NO: the connection ends without an answer, for of an update that stands nothing else is true
 * that could be said.
 */
enum MHD_Result sending_queue(
    struct sending *s, const struct server *server, struct MHD_Connection *connection, struct request *rq) MUST_CHECK;

#endif
