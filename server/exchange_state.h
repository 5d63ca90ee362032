/* SPDX-License-Identifier: MIT */
/* The state of an exchange. For exchange.c and exchange_end.c alone. */
#pragma once

#include <microhttpd.h>
#include <stdatomic.h>

#include "handlers/request.h"
#include "server/workers.h"
#include "server/phases.h"
#include "server/request_id.h"
#include "server/sending.h"
#include "server/traceparent.h"

struct connection;

struct exchange {
	struct server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	uint64_t started_us;
	struct phases phases;
	char method[16];
	char request_id[REQUEST_ID_BYTES];
	char traceparent[TRACEPARENT_BYTES];
	bool has_headers; /* the handler was called with the head */
	bool has_room;    /* there is room for the answer's head: the steps may begin */
	bool refused;     /* by libmicrohttpd or by normd in its place, without a step of the request */
	uint64_t body_bytes;
	struct workers_job job; /* what the computing threads do */
	char *rest;             /* a copy of the bytes of the body that they are to take, or NULL */
	size_t rest_len, rest_taken;
	bool body_answered;  /* the store has answered what the body waits for */
	atomic_uint holders; /* of the suspended connection: the store, and a thread that computes meanwhile */
	bool stepped;        /* a computing thread found that the request is done */
	struct request request;
	struct sending sending;
	char target[];
};

/* Notes for the log that the request is answered with `e`, without a step of it. On the connection's event loop. */
void exchange_note_refusal(struct exchange *x, const struct err *e);
