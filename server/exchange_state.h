/* SPDX-License-Identifier: MIT */
/* An exchange, for exchange.c and exchange_end.c alone. */
#ifndef SERVER_EXCHANGE_STATE_H
#define SERVER_EXCHANGE_STATE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "handlers/request.h"
#include "server/workers.h"
#include "server/request_id.h"
#include "server/sending.h"

struct connection;
struct stream;

struct exchange {
	struct server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	struct stream *stream; /* the connection's */
	uint64_t started_us;
	char method[16];
	char request_id[REQUEST_ID_BYTES];
	const char *traceparent; /* the connection's, while the exchange lives; or NULL */
	bool has_headers;        /* the first call was made */
	bool has_room;           /* for the answer's head, which is certain: the steps may begin */
	bool refused; /* by libmicrohttpd, or by us in its stead: an answer was made that no step has a part in */
	uint64_t body_bytes;
	struct workers_job job; /* what the computing threads do of it */
	char *rest;             /* a copy of what they are to take of the body; NULL: nothing */
	size_t rest_len;
	atomic_uint holders; /* of the suspended connection: the store, a thread that computes meanwhile */
	bool stepped;        /* a computing thread found that the request is done */
	struct request request;
	struct sending sending;
	char target[];
};

/*
 * For the log: the request is answered with `e`, and no step of it has a part in that. On the connection's event loop.
 */
void exchange_note_refusal(struct exchange *x, const struct err *e);

#endif
