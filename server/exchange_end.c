/* SPDX-License-Identifier: MIT */
/* How an exchange ends: its answer was sent, its client is gone, or libmicrohttpd refused it by itself. */
#include "server/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/answer.h"
#include "server/connections.h"
#include "server/exchange_state.h"
#include "server/head.h"
#include "server/intake.h"
#include "server/library.h"
#include "server/request_log.h"
#include "server/server.h"

void
exchange_note_refusal(struct exchange *x, const struct err *e)
{
	x->refused = true;
	x->sending.status = err_row(e->code)->status;
	x->sending.error = e->code;
	x->sending.shed = e->shed;
	connection_enter(x->connection, DEADLINE_ANSWER);
}

/* Why the exchange was cut short; NULL: it was not. */
static const char *
abort_reason(const struct exchange *x, enum MHD_RequestTerminationCode how)
{
	if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK || x->refused)
		return NULL;
	if (how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED || atomic_load(&x->connection->late))
		return "timeout";
	return how == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN ? "shutdown" : "client";
}

static void
log_exchange(struct exchange *x, enum MHD_RequestTerminationCode how)
{
	const bool failed = x->request.err.code != ERR_NONE;

	request_log(&(struct request_line){ .connection = x->mhd,
	    .method = x->method,
	    .target = x->target,
	    .route = x->request.route,
	    .status = x->sending.status,
	    .error = x->sending.error,
	    .reply = failed || x->refused || x->sending.status == 0 ? NULL : &x->request.reply,
	    .shed = x->sending.shed,
	    .detail = failed ? x->request.err.detail : NULL,
	    .offset = failed && x->request.err.has_offset ? &x->request.err.offset : NULL,
	    .started_us = x->started_us,
	    .phases = &x->phases,
	    .bytes_in = x->body_bytes,
	    .bytes_out = x->sending.answer.sent,
	    .request_id = x->request_id,
	    .token = x->request.caller->name,
	    .traceparent = x->traceparent,
	    .aborted = abort_reason(x, how) });
}

static void
free_exchange(void *arg)
{
	struct exchange *x = arg;

	sending_fini(&x->sending);
	request_fini(&x->request);
	free(x);
}

/* The end of an exchange, however it comes. */
static void
finish(struct exchange *x, enum MHD_RequestTerminationCode how)
{
	struct server *server = x->server;

	if (x->sending.at_once)
		library_discard_unread(x->connection->fd);
	log_exchange(x, how);
	x->request.caller =
	    &caller_nobody; /* its token is the connection's, which may end before the request's memory */
	intake_end_request(&x->connection->stream.intake);
	x->connection->held = NULL;
	connection_enter(x->connection, DEADLINE_IDLE);
	if (request_is_long(&x->request)) {
		x->job = (struct workers_job){ .run = free_exchange, .arg = x };
		workers_run(server->workers, &x->job);
	} else {
		free_exchange(x);
	}
	atomic_fetch_sub(&server->active, 1);
}

void
exchange_end(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;

	(void)arg, (void)connection;
	*context = NULL;
	if (x != NULL)
		finish(x, how);
}

void
exchange_notify(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	const struct server *server = arg;
	struct connection *c = *context; /* NULL where there was no memory for it */
	struct exchange *x = what == MHD_CONNECTION_NOTIFY_STARTED || c == NULL ? NULL : c->held;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED && c != NULL)
		tls_session_end(&c->stream);
	if (x != NULL)
		finish(x, MHD_REQUEST_TERMINATED_WITH_ERROR);
	connections_notify(server->connections, connection, context, what);
	c = *context;
	if (what == MHD_CONNECTION_NOTIFY_STARTED && c != NULL && server->tls != NULL) {
		tls_session_begin(&c->stream, connection, server->tls);
		connection_enter(c, DEADLINE_HANDSHAKE);
	}
}
