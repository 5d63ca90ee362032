/* SPDX-License-Identifier: MIT */
/*
 * The life of an exchange:
 *
 *   begin    the target is known; the headers are not
 *   handle   once with the headers: they are checked, and the route is found
 *            then with pieces of the body: fed to the request, or dropped when the answer is an error already
 *            then with none left: the request's steps. The connection is suspended while the store works, and while a
 *            computing thread does a long step
 *   end      the answer was sent, or the client is gone: the log line
 *
 * An answer queued while the client still sends would close the connection, and might be lost in the reset. So the rest
 * of a refused body is read and dropped, up to SWALLOW_MAX. A client that announces a larger body gets its answer at
 * once; one that sends more gets it then.
 */
#include "server/exchange.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/request_memory.h"
#include "server/connections.h"
#include "server/direct.h"
#include "server/guard.h"
#include "server/exchange_state.h"
#include "server/head.h"
#include "server/intake.h"
#include "server/library.h"
#include "server/limits.h"
#include "server/request_id.h"
#include "server/server.h"
#include "server/suspension.h"

#define SWALLOW_MAX ((uint64_t)256 << 20)

/* The rest is libmicrohttpd's records, the connection's, and a short target. */
_Static_assert(sizeof(struct exchange) + ANSWER_CREDIT_BYTES + REQUEST_CREDIT_BYTES + 4096 <= CONNECTION_RECORDS_BYTES,
    "a connection's memory must cover what a small request uses");

void *
exchange_begin(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct server *server = arg;
	struct connection *record = connection_of(connection);
	const size_t target_size = strlen(target) + 1;
	struct exchange *x = record == NULL ? NULL : malloc(sizeof(*x) + target_size);

	if (x != NULL) { /* request_init and sending_init clear the rest */
		memset(x, 0, offsetof(struct exchange, request));
		memcpy(x->target, target, target_size);
	}
	library_hide_query(target);
	if (x == NULL)
		return NULL;
	x->server = server;
	x->mhd = connection;
	x->connection = record;
	x->started_us = clock_monotonic_us();
	phases_begin(&x->phases, x->started_us);
	sending_init(
	    &x->sending, &(struct answer_wishes){ .request_id = x->request_id, .target = x->target }, &server->memory);
	request_init(&x->request, server->store, server->claims, server->sync, &server->memory, server->max_body_bytes);
	x->request.usage = server->usage;
	x->request.web = server->web.root == NULL ? NULL : &server->web;
	x->request.leaving = atomic_load(&server->phase) == SERVER_LEAVES;
	x->request.file_max_bytes = server->max_import_bytes;
	x->request.workspace.crew = workers_crew(server->workers);
	atomic_fetch_add(&server->active, 1);
	record->held = x;
	connection_enter(x->connection, DEADLINE_HEAD);
	return x;
}

static enum MHD_Result
send_answer(struct exchange *x)
{
	connection_enter(x->connection, DEADLINE_ANSWER);
	phases_enter(&x->phases, METRIC_PHASE_SEND);
	return sending_queue(&x->sending, x->server, x->mhd, &x->request);
}

/* Answers the request's error where the connection's memory may have no room for that, and ends the connection. */
static enum MHD_Result
refuse_directly(struct exchange *x)
{
	exchange_note_refusal(x, &x->request.err);
	x->sending.answer.sent =
	    direct_answer(x->connection->fd, &(struct problem){ &x->request.err, x->request_id, x->target },
		strcmp(x->method, MHD_HTTP_METHOD_HEAD) != 0);
	return MHD_NO;
}

/*
 * Answers the request's error before its body, which is then dropped as it comes. Not to a client that waits with the
 * body: libmicrohttpd would ask for it.
 */
static void
refuse_ahead(struct exchange *x)
{
	exchange_note_refusal(x, &x->request.err);
	connection_enter(x->connection, DEADLINE_BODY);
	x->sending.ahead = true;
	sending_refuse_ahead(
	    &x->sending, x->server, x->connection->fd, &x->request, strcmp(x->method, MHD_HTTP_METHOD_HEAD) != 0);
}

/* The last thread to let go resumes the connection. The exchange may then be in use on an event loop at once. */
static void
let_go(struct exchange *x)
{
	if (atomic_fetch_sub(&x->holders, 1) == 1)
		suspension_end(x->mhd);
}

/* On the store's thread: the operation is done. */
static void
operation_done(struct store_op *op)
{
	let_go(op->done_arg);
}

/* On any thread: a synchronized step has come together, or never will. */
static void
step_joined(void *arg)
{
	const struct exchange *x = arg;

	suspension_end(x->mhd);
}

/*
 * On the thread that watches connections: the client of a call that waits is gone. Its step goes on, because another
 * call of its rank may come.
 */
static void
step_given_up(void *arg)
{
	struct exchange *x = arg;
	struct err e;

	err_set(&e, ERR_SYNC_INCOMPLETE,
	    "the client ended its side of the connection, and the step did not fill within the client timeout after "
	    "that");
	sync_abandon(x->request.sync, &x->request.member, &e);
}

/* Hands the operation to the store, and computes what can be computed meanwhile. The connection is suspended. */
static void
ask_store(struct exchange *x)
{
	struct request *rq = &x->request;

	rq->op.done = operation_done;
	rq->op.done_arg = x;
	phases_enter(&x->phases, rq->op.kind == STORE_CHANGE ? METRIC_PHASE_COMMIT : METRIC_PHASE_WAIT);
	atomic_store(&x->holders, 2);
	if (store_submit(rq->store, &rq->op, &rq->err) == 0)
		request_meanwhile(rq);
	else
		atomic_store(&x->holders, 1); /* the next step answers the error */
	let_go(x);
}

static void step_apart(void *exchange);

/* With the connection suspended: to the store, to a computing thread, or to the event loop with the answer. */
static void
go_on(struct exchange *x, enum request_next next)
{
	if (next == REQUEST_STORE) {
		ask_store(x);
	} else if (next == REQUEST_LONG) {
		x->job = (struct workers_job){ .run = step_apart, .arg = x };
		phases_enter(&x->phases, METRIC_PHASE_WAIT);
		workers_run(x->server->workers, &x->job);
	} else {
		x->stepped = true;
		suspension_end(x->mhd);
	}
}

/*
 * As go_on, or to the other shards of a synchronized step. The leader of the step goes on here at once: on its event
 * loop it could find its client gone, and nobody would tell the other ranks.
 */
static void
ask(struct exchange *x, enum request_next next, bool apart)
{
	if (next == REQUEST_SYNC) {
		connection_wait(x->connection, step_given_up, x);
		phases_enter(&x->phases, METRIC_PHASE_WAIT);
		if (request_join(&x->request, step_joined, x))
			return;
		phases_enter(&x->phases, METRIC_PHASE_COMPUTE);
		connection_enter(x->connection, DEADLINE_COMPUTING);
		next = request_step(&x->request, apart);
	}
	go_on(x, next);
}

/* On a computing thread, with the connection suspended. */
static void
step_apart(void *arg)
{
	struct exchange *x = arg;

	phases_enter(&x->phases, METRIC_PHASE_COMPUTE);
	ask(x, request_step(&x->request, true), true);
}

/* Suspends the connection and has `run` called by a computing thread, which resumes it. */
static void
compute_apart(struct exchange *x, void (*run)(void *))
{
	connection_enter(x->connection, DEADLINE_COMPUTING);
	x->job = (struct workers_job){ .run = run, .arg = x };
	suspension_begin(x->mhd);
	workers_run(x->server->workers, &x->job);
}

/* Refuses a request whose body has a fault. An error that was found before is answered all the same. */
static void
refuse_broken(struct exchange *x)
{
	struct err e;

	if (head_check_scan(&x->connection->stream.intake, x->target, &e) == 0)
		return;
	x->sending.close = x->sending.at_once = true;
	if (x->request.err.code == ERR_NONE)
		x->request.err = e;
}

/* Whether there is room for the answer; else the request has an error. */
static bool
has_room(struct exchange *x)
{
	struct err e;

	if (head_check_room(&x->connection->stream.intake, x->mhd, x->target, &e) == 0)
		return true;
	if (x->request.err.code == ERR_NONE)
		x->request.err = e;
	return false;
}

/* The request's next step. */
static enum MHD_Result
advance(struct exchange *x)
{
	enum request_next next;

	if (x->sending.ahead)
		return MHD_NO; /* the body has ended */
	if (!x->has_room) {    /* after the first step something may be stored: then it is too late to ask */
		refuse_broken(x);
		if (!has_room(x))
			return refuse_directly(x);
		x->has_room = true;
		intake_stop_reading(&x->connection->stream.intake);
	}
	connection_enter(x->connection, DEADLINE_COMPUTING);
	if (!x->stepped)
		phases_enter(&x->phases, METRIC_PHASE_COMPUTE);
	if (!x->stepped && x->request.err.code == ERR_NONE)
		(void)answer_reserve(
		    &x->sending.answer, &x->sending.wishes, &x->request.err); /* the step looks at it */
	next = x->stepped ? REQUEST_DONE : request_step(&x->request, false);
	if (next == REQUEST_DONE)
		return send_answer(x);
	if (next == REQUEST_LONG) {
		phases_enter(&x->phases, METRIC_PHASE_WAIT);
		compute_apart(x, step_apart);
	} else {
		suspension_begin(x->mhd);
		ask(x, next, false);
	}
	return MHD_YES;
}

static enum MHD_Result
first_call(struct exchange *x, const char *url, const char *method, const char *version)
{
	const union MHD_ConnectionInfo *size = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct head head = {
		.server = x->server,
		.mhd = x->mhd,
		.connection = x->connection,
		.target = x->target,
		.method = method,
		.url = url,
		.version = version,
	};
	struct intake *in = &x->connection->stream.intake;
	bool waits;

	x->has_headers = true;
	connection_enter(x->connection, DEADLINE_BODY);
	snprintf(x->method, sizeof(x->method), "%s", method);
	intake_take_head(in, method, size == NULL ? 0 : size->header_size);
	if (guard_head(&head, &head.headers, &x->request.err) < 0)
		x->sending.close = x->sending.at_once = true;
	request_id_make(x->request_id, head.headers.value[HEADER_REQUEST_ID]);
	traceparent_copy(
	    head.headers.value[HEADER_TRACEPARENT], head.headers.count[HEADER_TRACEPARENT], x->traceparent);
	if (head_check_room(in, x->mhd, x->target, &x->request.err) < 0)
		return refuse_directly(x);
	if (head_read(&head, &x->request, &x->sending, &x->request.err) == 0)
		return MHD_YES;
	waits = head_waits_with_body(&head.headers);
	if (!waits && access_refused(&x->request.err) && head_has_body(&head.headers))
		refuse_ahead(x);
	else if (waits || head_announced_length(&head.headers) > SWALLOW_MAX)
		x->sending.at_once = true;
	return x->sending.at_once ? send_answer(x) : MHD_YES;
}

static void take_rest(void *exchange);

/* On the store's thread: what the body waits for is known. */
static void
answer_body(struct store_op *op)
{
	struct exchange *x = op->done_arg;

	x->body_answered = true;
	x->job = (struct workers_job){ .run = take_rest, .arg = x };
	workers_run(x->server->workers, &x->job);
}

/* Hands what the body waits for to the store. -1: it is not taken. */
static int
ask_for_body(struct exchange *x)
{
	struct request *rq = &x->request;

	rq->op.done = answer_body;
	rq->op.done_arg = x;
	return store_submit(rq->store, &rq->op, &rq->err);
}

/*
 * On a computing thread, with the connection suspended: takes the rest of a piece that decompresses to very much, or
 * behind which the body waits for the store, once that has answered.
 */
static void
take_rest(void *arg)
{
	struct exchange *x = arg;
	struct request *rq = &x->request;
	int result = x->body_answered ? request_body_known(rq) : 0;
	size_t taken;

	x->body_answered = false;
	while (result == 0 && !rq->wants_store && x->rest_taken < x->rest_len) {
		result = request_body(rq, x->rest + x->rest_taken, x->rest_len - x->rest_taken, &taken);
		x->rest_taken += taken;
	}
	if (result == 0 && rq->wants_store && ask_for_body(x) == 0)
		return; /* another thread may have the exchange already */
	free(x->rest);
	x->rest = NULL;
	connection_enter(x->connection, DEADLINE_BODY);
	suspension_end(x->mhd);
}

/* Leaves the rest of a piece to a computing thread, as a copy, because libmicrohttpd may move its buffer. */
static void
leave_rest(struct exchange *x, const char *bytes, size_t len)
{
	x->rest = malloc(len + 1);
	if (x->rest == NULL) {
		err_set_memory(&x->request.err);
		return;
	}
	memcpy(x->rest, bytes, len);
	x->rest_len = len;
	x->rest_taken = 0;
	compute_apart(x, take_rest);
}

static enum MHD_Result
take_body(struct exchange *x, const char *piece, size_t size)
{
	struct request *rq = &x->request;
	size_t taken;

	connection_enter(x->connection, DEADLINE_BODY);
	x->body_bytes += size;
	if (x->sending.ahead)
		return x->body_bytes > SWALLOW_MAX ? MHD_NO : MHD_YES;
	intake_take_body(&x->connection->stream.intake, piece, size);
	if (rq->err.code != ERR_NONE)
		return x->body_bytes > SWALLOW_MAX ? refuse_directly(x) : MHD_YES;
	if (head_check_size(x->server, rq->route, x->body_bytes, &rq->err) < 0)
		return MHD_YES; /* where rq->err is set, the rest is swallowed */
	if (request_body_is_long(rq, size))
		leave_rest(x, piece, size);
	else if (request_body(rq, piece, size, &taken) == 0 && (taken < size || rq->wants_store))
		leave_rest(x, piece + taken, size - taken);
	return MHD_YES;
}

enum MHD_Result
exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **context)
{
	struct exchange *x = *context;
	enum MHD_Result result;

	if (x == NULL) /* there was no memory for it */
		return MHD_queue_response(
		    connection, MHD_HTTP_SERVICE_UNAVAILABLE, ((const struct server *)arg)->exhausted);
	if (!x->has_headers)
		return first_call(x, url, method, version);
	if (suspension_holds(connection))
		return MHD_YES; /* a chunk that came with the last one; it is there again after the resume */
	if (*upload_size > 0) {
		result = take_body(x, upload, *upload_size);
		*upload_size = 0;
		return result;
	}
	return advance(x);
}
