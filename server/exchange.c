/*
 * The life of an exchange:
 *
 *   begin    the target is known; the headers are not
 *   handle   once with the headers: they are guarded, the route found, the body's length and type checked
 *            then with pieces of the body: fed to the request, or swallowed when the answer is an error already
 *            then with none left: the request's steps; while the store works the connection is suspended, and so it is while
 *            computing threads do a step that takes long
 *   end      the answer was sent, or the client is gone: the log line
 *
 * An answer queued while the client still sends would close the connection under it, and might be lost in the reset. So the rest
 * of a refused body is swallowed, up to SWALLOW_MAX; who announces more than that is told at once.
 */
#include "server/exchange.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/compute.h"
#include "server/deadline.h"
#include "server/direct.h"
#include "server/head.h"
#include "server/intake.h"
#include "server/library.h"
#include "server/peer.h"
#include "server/request_id.h"
#include "server/server.h"
#include "server/suspension.h"

#define SWALLOW_MAX ((uint64_t)256 << 20)

struct exchange {
	struct server *server;
	struct MHD_Connection *connection;
	struct deadline *deadline; /* the connection's */
	uint64_t started_us;
	char *target;
	char method[16];
	char request_id[REQUEST_ID_BYTES];
	const char *traceparent; /* the connection's, while the exchange lives; or NULL */
	bool has_headers;        /* the first call was made */
	bool has_room;           /* for the answer's head, which is certain: the steps may begin */
	bool refused;            /* by libmicrohttpd, or by us in its stead: an answer was made that no step has a part in */
	uint64_t body_bytes;
	struct compute_job job; /* what the computing threads do of it */
	char *rest;             /* a copy of what they are to take of the body; NULL: nothing */
	size_t rest_len;
	atomic_uint holders; /* of the suspended connection: the store, a thread that computes meanwhile */
	bool stepped;        /* a computing thread found that the request is done */
	struct request request;
	struct sending sending;
};

void *
exchange_begin(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct server *server = arg;
	struct deadline *deadline = deadline_of(connection);
	char *copy = strdup(target);
	struct exchange *x = deadline == NULL || copy == NULL ? NULL : calloc(1, sizeof(*x));

	library_hide_query(target);
	if (x == NULL) {
		free(copy);
		return NULL;
	}
	x->target = copy;
	x->server = server;
	x->connection = connection;
	x->deadline = deadline;
	x->started_us = clock_monotonic_us();
	sending_init(&x->sending, x->request_id);
	request_init(&x->request, server->store, server->claims, server->sync, &server->memory, server->max_body_bytes);
	x->request.crew = compute_crew(server->compute);
	server_enter(server);
	deadline_hold(x->deadline, x);
	deadline_enter(x->deadline, DEADLINE_HEAD);
	return x;
}

static enum MHD_Result
send_answer(struct exchange *x)
{
	deadline_enter(x->deadline, DEADLINE_ANSWER);
	return sending_queue(&x->sending, x->server, x->connection, &x->request);
}

static void
note_refusal(struct exchange *x, const struct err *e)
{
	x->refused = true;
	x->sending.status = err_status(e->code);
	snprintf(x->sending.code, sizeof(x->sending.code), "%s", err_code_text(e->code));
	deadline_enter(x->deadline, DEADLINE_ANSWER);
}

/* Answers the request's error where the connection's memory may have no room for it, and ends the connection. */
static enum MHD_Result
refuse_directly(struct exchange *x)
{
	note_refusal(x, &x->request.err);
	x->sending.answer.sent = direct_answer(x->connection, x->method, &x->request.err, x->request_id);
	return MHD_NO;
}

/* Whoever is the last to let go resumes the connection; the exchange may then be in use on an event loop at once. */
static void
let_go(struct exchange *x)
{
	if (atomic_fetch_sub(&x->holders, 1) == 1)
		suspension_end(x->connection);
}

/* The store is done with the operation: on its thread. */
static void
operation_done(struct store_op *op)
{
	let_go(op->done_arg);
}

/* A synchronized step has come together, or never will: on whatever thread found out. */
static void
step_joined(void *connection)
{
	suspension_end(connection);
}

/* Hands the operation to the store, which may be done with it at once, and computes what can be meanwhile. The connection is suspended. */
static void
ask_store(struct exchange *x)
{
	struct request *rq = &x->request;

	rq->op.done = operation_done;
	rq->op.done_arg = x;
	atomic_store(&x->holders, 2);
	if (store_submit(rq->store, &rq->op, &rq->err) == 0)
		request_meanwhile(rq);
	else
		atomic_store(&x->holders, 1); /* the next step answers the error */
	let_go(x);
}

/* Goes where the step leads, to the store or to the other shards of a synchronized step. The connection is suspended. */
static void
ask(struct exchange *x, enum request_next next)
{
	if (next == REQUEST_STORE)
		ask_store(x);
	else if (!request_join(&x->request, step_joined, x->connection))
		suspension_end(x->connection); /* to come back here and go on */
}

/* On a computing thread, with the connection suspended. */
static void
step_apart(void *arg)
{
	struct exchange *x = arg;
	enum request_next next = request_step(&x->request, true);

	if (next != REQUEST_DONE) {
		ask(x, next);
		return;
	}
	x->stepped = true;
	suspension_end(x->connection);
}

/* Suspends the connection and has `run` called by a computing thread, which resumes it. */
static void
compute_apart(struct exchange *x, void (*run)(void *))
{
	deadline_enter(x->deadline, DEADLINE_COMPUTING);
	x->job = (struct compute_job){ .run = run, .arg = x };
	suspension_begin(x->connection);
	compute_run(x->server->compute, &x->job);
}

/* The request's next step. */
static enum MHD_Result
advance(struct exchange *x)
{
	enum request_next next;

	if (!x->has_room) { /* after the first step something may be stored: then it is too late to ask */
		if (!intake_has_room(x->connection)) {
			if (x->request.err.code == ERR_NONE)
				(void)head_refuse(x->target, &x->request.err);
			return refuse_directly(x);
		}
		x->has_room = true;
		intake_stop_reading(x->connection);
	}
	deadline_enter(x->deadline, DEADLINE_COMPUTING);
	if (!x->stepped && x->request.err.code == ERR_NONE)
		(void)sending_reserve(&x->sending, &x->request.err); /* which is looked at by the step */
	next = x->stepped ? REQUEST_DONE : request_step(&x->request, false);
	if (next == REQUEST_DONE)
		return send_answer(x);
	if (next == REQUEST_LONG) {
		compute_apart(x, step_apart);
	} else {
		suspension_begin(x->connection);
		ask(x, next);
	}
	return MHD_YES;
}

static enum MHD_Result
first_call(struct exchange *x, const char *url, const char *method, const char *version)
{
	const struct head head = { x->server, x->connection, x->deadline, x->target, method, url, version };
	uint64_t length;
	const char *expect;

	x->has_headers = true;
	deadline_enter(x->deadline, DEADLINE_BODY);
	snprintf(x->method, sizeof(x->method), "%s", method);
	request_id_make(x->request_id, head_header(x->connection, "X-Request-Id"));
	x->traceparent = head_header(x->connection, "traceparent");
	intake_take_head(x->connection, method);
	if (head_check_bounds(&head, &x->request.err) < 0)
		return refuse_directly(x);
	if (head_read(&head, &x->request, &x->sending, &x->request.err) == 0)
		return MHD_YES;
	length = head_announced_length(x->connection);
	expect = head_header(x->connection, MHD_HTTP_HEADER_EXPECT);
	if (x->sending.at_once || length > SWALLOW_MAX ||
	    (length > 0 && expect != NULL && strcasecmp(expect, "100-continue") == 0))
		return send_answer(x);
	return MHD_YES;
}

/* On a computing thread, with the connection suspended: the rest of a piece that comes to very much when its coding is undone. */
static void
take_rest(void *arg)
{
	struct exchange *x = arg;
	size_t taken;

	for (size_t at = 0; at < x->rest_len && request_body(&x->request, x->rest + at, x->rest_len - at, &taken) == 0;)
		at += taken;
	free(x->rest);
	x->rest = NULL;
	suspension_end(x->connection);
}

/* Leaves the rest of a piece to a computing thread; as a copy, for libmicrohttpd may move its buffer. */
static void
leave_rest(struct exchange *x, const char *bytes, size_t len)
{
	x->rest = malloc(len);
	if (x->rest == NULL) {
		(void)err_set_memory(&x->request.err);
		return;
	}
	memcpy(x->rest, bytes, len);
	x->rest_len = len;
	compute_apart(x, take_rest);
}

static enum MHD_Result
take_body(struct exchange *x, const char *piece, size_t size)
{
	struct request *rq = &x->request;
	size_t taken;

	deadline_enter(x->deadline, DEADLINE_BODY);
	x->body_bytes += size;
	if (!intake_take_body(x->connection, piece, size)) {
		(void)head_refuse(x->target, &rq->err);
		return refuse_directly(x);
	}
	if (rq->err.code != ERR_NONE)
		return x->body_bytes > SWALLOW_MAX ? MHD_NO : MHD_YES;
	if (head_check_size(x->server, x->body_bytes, &rq->err) == 0 && request_body(rq, piece, size, &taken) == 0 &&
	    taken < size)
		leave_rest(x, piece + taken, size - taken);
	return MHD_YES; /* where rq->err is set now, the rest is swallowed */
}

enum MHD_Result
exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **context)
{
	struct exchange *x = *context;
	enum MHD_Result result;

	if (x == NULL) /* there was no memory for it */
		return library_queue_response(
		    connection, MHD_HTTP_SERVICE_UNAVAILABLE, ((const struct server *)arg)->exhausted);
	if (!x->has_headers)
		return first_call(x, url, method, version);
	if (suspension_holds(connection))
		return MHD_YES; /* the next chunk, which had come with the one before; it will be there when the connection is resumed */
	if (*upload_size > 0) {
		result = take_body(x, upload, *upload_size);
		*upload_size = 0;
		return result;
	}
	return advance(x);
}

static void
log_exchange(const struct exchange *x, enum MHD_RequestTerminationCode how)
{
	char client[PEER_BYTES];
	struct log_field fields[12];
	size_t n = 0;

	if (!log_enabled(LOG_INFO))
		return;
	peer_address(x->connection, client, sizeof(client));
	fields[n++] = (struct log_field){ .name = "method", .text = x->method };
	fields[n++] = (struct log_field){ .name = "target", .text = x->target };
	fields[n++] = (struct log_field){ .name = "status", .number = x->sending.status };
	if (x->sending.code[0] != '\0')
		fields[n++] = (struct log_field){ .name = "code", .text = x->sending.code };
	if (x->request.err.code != ERR_NONE)
		fields[n++] = (struct log_field){ .name = "detail", .text = x->request.err.detail };
	fields[n++] =
	    (struct log_field){ .name = "duration_ms", .number = (double)(clock_monotonic_us() - x->started_us) / 1000 };
	fields[n++] = (struct log_field){ .name = "bytes_in", .number = (double)x->body_bytes };
	fields[n++] = (struct log_field){ .name = "bytes_out", .number = (double)x->sending.answer.sent };
	fields[n++] = (struct log_field){ .name = "client", .text = client };
	fields[n++] = (struct log_field){ .name = "request_id", .text = x->request_id };
	if (x->traceparent != NULL)
		fields[n++] = (struct log_field){ .name = "traceparent", .text = x->traceparent };
	if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK && !x->refused)
		fields[n++] = (struct log_field){ .name = "aborted",
			.text = how == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED || deadline_was_late(x->deadline) ? "timeout" :
			    how == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN                                       ? "shutdown" :
														  "client" };
	log_event(LOG_INFO, "request", fields, n);
}

static void
exchange_free(void *arg)
{
	struct exchange *x = arg;

	sending_fini(&x->sending);
	request_fini(&x->request);
	free(x->target);
	free(x);
}

/* The end of an exchange, however it comes. */
static void
finish(struct exchange *x, enum MHD_RequestTerminationCode how)
{
	struct server *server = x->server;

	if (x->sending.at_once)
		library_discard_unread(x->connection);
	log_exchange(x, how);
	intake_end_request(x->connection);
	deadline_hold(x->deadline, NULL);
	deadline_enter(x->deadline, DEADLINE_IDLE);
	if (request_is_long(&x->request)) {
		x->job = (struct compute_job){ .run = exchange_free, .arg = x };
		compute_run(server->compute, &x->job);
	} else {
		exchange_free(x);
	}
	server_leave(server);
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
	struct exchange *x;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		intake_begin(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
	} else if ((x = deadline_held(*context)) != NULL) {
		x->traceparent = NULL; /* it lay in the connection's memory */
		finish(x, MHD_REQUEST_TERMINATED_WITH_ERROR);
	}
	deadline_notify(server->deadlines, connection, context, what);
}

/* For the log: a request of which there is no exchange, as its first line never came to an end. */
static void
log_refusal(struct MHD_Connection *connection, const struct err *e, const char *request_id)
{
	char client[PEER_BYTES];

	peer_address(connection, client, sizeof(client));
	log_event(LOG_INFO, "request",
	    (const struct log_field[]){ { .name = "status", .number = err_status(e->code) },
		{ .name = "code", .text = err_code_text(e->code) }, { .name = "detail", .text = e->detail },
		{ .name = "client", .text = client }, { .name = "request_id", .text = request_id } },
	    5);
}

struct MHD_Response *
exchange_refused(struct MHD_Connection *connection, unsigned *status)
{
	struct exchange *x = deadline_held(deadline_of(connection));
	char made[REQUEST_ID_BYTES];
	struct MHD_Response *response;
	const char *request_id = made;
	struct err e;

	(void)head_refuse_as(*status, &e);
	if (x != NULL && x->request_id[0] == '\0')
		request_id_make(x->request_id, NULL);
	if (x != NULL)
		request_id = x->request_id;
	else
		request_id_make(made, NULL);
	response = answer_make_error(&e, request_id);
	if (response != NULL)
		*status = err_status(e.code);
	if (x == NULL) {
		log_refusal(connection, &e, request_id);
	} else {
		note_refusal(x, &e);
		x->traceparent = NULL; /* libmicrohttpd may now clear the memory that it lies in */
	}
	return response;
}
