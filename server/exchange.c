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

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/idempotency.h"
#include "handlers/routes.h"
#include "server/answer.h"
#include "server/compute.h"
#include "server/deadline.h"
#include "server/guard.h"
#include "server/negotiate.h"
#include "server/peer.h"
#include "server/request_id.h"
#include "server/server.h"
#include "server/url.h"

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
	bool close;              /* after the answer */
	uint64_t body_bytes;
	struct compute_job job; /* what the computing threads do of it */
	char *rest;             /* a copy of what they are to take of the body; NULL: nothing */
	size_t rest_len;
	atomic_bool taking_rest;
	atomic_uint holders; /* of the suspended connection: the store, a thread that computes meanwhile */
	bool stepped;        /* a computing thread found that the request is done */
	struct buf allow;
	struct answer_wishes wishes;
	struct request request;
	struct answer answer;
	unsigned status; /* 0: nothing was answered */
	char code[32];   /* of the error that was answered, for the log */
};

void *
exchange_begin(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct server *server = arg;
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL || (x->target = strdup(target)) == NULL) {
		free(x);
		return NULL;
	}
	x->server = server;
	x->connection = connection;
	x->deadline = deadline_of(connection);
	x->started_us = clock_monotonic_us();
	buf_init(&x->allow, 256);
	request_init(&x->request, server->store, server->claims, server->sync, &server->memory, server->max_body_bytes);
	x->request.crew = compute_crew(server->compute);
	server_enter(server);
	deadline_enter(x->deadline, DEADLINE_HEAD);
	return x;
}

static const char *
header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* The body's announced length; 0 without one, or when it is chunked. */
static uint64_t
announced_length(const struct exchange *x)
{
	const char *text = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static int
find_route(struct exchange *x, struct err *e)
{
	struct request *rq = &x->request;
	struct url *url = arena_alloc(&rq->arena, sizeof(*url));

	if (url == NULL)
		return err_set_memory(e);
	if (url_parse(&rq->arena, x->target, url, e) < 0)
		return -1;
	memcpy(rq->query, url->query, sizeof(rq->query));
	rq->query_count = url->query_count;
	if (url->segment_count > URL_SEGMENTS_MAX)
		return err_set(e, ERR_NO_SUCH_ROUTE, "there is no such route");
	return routes_find(rq, x->method, url->segments, url->segment_count, &x->allow, e);
}

/* Every query parameter must be one that the route has, once. Probes of health may carry any. */
static int
check_query(const struct request *rq, struct err *e)
{
	bool known;

	for (unsigned i = 0; i < rq->query_count; i++) {
		known = strncmp(rq->route->path, "/v2", 3) == 0;
		for (size_t k = 0; rq->route->query != NULL && rq->route->query[k] != NULL && !known; k++)
			known = strcmp(rq->route->query[k], rq->query[i].name) == 0;
		for (unsigned k = 0; k < i; k++)
			if (known && strcmp(rq->query[k].name, rq->query[i].name) == 0)
				return err_set(e, ERR_BAD_PARAMETER, "\"%.64s\" stands twice in the query", rq->query[i].name);
		if (!known)
			return err_set(e, ERR_BAD_PARAMETER,
			    "\"%.64s\" is not a query parameter that this call of this version takes", rq->query[i].name);
	}
	return 0;
}

/* Who comes when there are too many connections is refused. Probes are not: a server that is busy must not be restarted for it. */
static int
check_crowd(struct exchange *x, struct err *e)
{
	if (!deadline_is_beyond(x->deadline))
		return 0;
	x->close = true;
	if (strncmp(x->request.route->path, "/v2/health", strlen("/v2/health")) == 0)
		return 0;
	(void)err_set(e, ERR_OVERLOADED, "there are too many connections");
	e->retry_after_s = 1;
	return -1;
}

static int
refuse_large(const struct exchange *x, struct err *e)
{
	return err_set(e, ERR_BODY_TOO_LARGE, "the body is larger than %zu bytes (--max-body)", x->server->max_body_bytes);
}

static int
check_body_headers(struct exchange *x, struct err *e)
{
	const char *encoding = header(x, MHD_HTTP_HEADER_CONTENT_ENCODING), *type = header(x, MHD_HTTP_HEADER_CONTENT_TYPE);
	struct request *rq = &x->request;

	if (announced_length(x) > x->server->max_body_bytes)
		return refuse_large(x, e);
	if (rq->route->body == BODY_NONE)
		return 0;
	if (negotiate_form(type, &rq->form) < 0 || (rq->form == FORM_NPY && rq->route->npy_files == 0))
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE, "the body is %.80s; this call takes %s%s%s", type,
		    form_media_type(FORM_JSON), rq->route->npy_files > 0 ? " and " : "",
		    rq->route->npy_files > 0 ? form_media_type(FORM_NPY) : "");
	if (negotiate_coding(encoding, &rq->coding) < 0)
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE,
		    "the body's Content-Encoding is %.80s; gzip and deflate are taken", encoding);
	return 0;
}

/* A file is sent as it is, in the type that it has. */
static int
check_file_wishes(struct exchange *x, struct err *e)
{
	const char *type = x->request.route->media_type;
	enum coding coding;
	bool must;

	if (negotiate_answer_type(header(x, MHD_HTTP_HEADER_ACCEPT), type) < 0)
		return err_set(e, ERR_NOT_ACCEPTABLE, "this call answers in %s", type);
	if (negotiate_answer_coding(header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING), &coding, &must) < 0 || must)
		return err_set(e, ERR_NOT_ACCEPTABLE, "this call's answer is sent as it is, without a coding");
	return 0;
}

/* What the client will take; after the body's form is known, which is the default for the answer's. */
static int
check_wishes(struct exchange *x, struct err *e)
{
	struct request *rq = &x->request;
	bool npy = rq->route->npy_files > 0;

	if (rq->route->media_type != NULL)
		return check_file_wishes(x, e);
	if (negotiate_answer_form(header(x, MHD_HTTP_HEADER_ACCEPT), npy, rq->form, &rq->answer_form) < 0)
		return err_set(e, ERR_NOT_ACCEPTABLE, "this call answers in %s%s%s", form_media_type(FORM_JSON),
		    npy ? " and " : "", npy ? form_media_type(FORM_NPY) : "");
	if (negotiate_answer_coding(header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING), &x->wishes.coding, &x->wishes.coding_must) < 0)
		return err_set(e, ERR_NOT_ACCEPTABLE, "an answer is sent as it is, or in gzip or deflate");
	return 0;
}

static int
read_headers(struct exchange *x, const char *version, struct err *e)
{
	struct request *rq = &x->request;

	if (guard_headers(x->connection, version, e) < 0) {
		x->close = true;
		return -1;
	}
	if (atomic_load(&x->server->draining)) {
		rq->draining = true;
		x->close = true;
		return err_set(e, ERR_SHUTTING_DOWN, "the server is finishing its last requests");
	}
	if (find_route(x, e) < 0 || check_crowd(x, e) < 0 || check_query(rq, e) < 0)
		return -1;
	rq->if_match = header(x, MHD_HTTP_HEADER_IF_MATCH);
	if (check_body_headers(x, e) < 0 || check_wishes(x, e) < 0 || request_admit(rq, e) < 0)
		return -1;
	/* Last: who is refused holds no key. */
	return idempotency_begin(rq, header(x, IDEMPOTENCY_HEADER), e);
}

/* The response to the request as it stands; where there is no memory for it and nothing was stored, to that. NULL: for neither. */
static struct MHD_Response *
make_response(struct exchange *x)
{
	struct MHD_Response *response = answer_make(&x->answer, &x->request, &x->wishes, &x->status);

	if (response != NULL || request_stored(&x->request))
		return response;
	(void)err_set_memory(&x->request.err);
	answer_fini(&x->answer);
	return answer_make(&x->answer, &x->request, &x->wishes, &x->status);
}

/*
 * No memory for any response of its own. Who is told to come again had nothing stored; else the connection ends, for of an update that stands
 * nothing else is true that could be said.
 */
static enum MHD_Result
send_exhausted(struct exchange *x)
{
	if (request_stored(&x->request)) {
		x->status = 0;
		log_event(LOG_WARN, "no memory to answer what was stored",
		    (const struct log_field[]){ { .name = "request_id", .text = x->request_id } }, 1);
		return MHD_NO;
	}
	return MHD_queue_response(x->connection, x->status, x->server->exhausted);
}

static enum MHD_Result
send_answer(struct exchange *x)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	bool close;

	deadline_enter(x->deadline, DEADLINE_ANSWER);
	if (x->allow.len > 0)
		buf_byte(&x->allow, '\0');
	x->wishes.allow = x->allow.len == 0 || x->allow.failed ? "" : x->allow.bytes;
	x->wishes.target = x->target;
	x->wishes.request_id = x->request_id;
	response = make_response(x);
	if (x->request.err.code != ERR_NONE)
		snprintf(x->code, sizeof(x->code), "%s", err_code_text(x->request.err.code));
	if (response == NULL)
		return send_exhausted(x);
	/* While it drains that is a courtesy: who is told of the close sends nothing into it that could be lost. */
	close = x->close || atomic_load(&x->server->draining);
	if (close && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES && x->close)
		result = MHD_NO;
	else
		result = MHD_queue_response(x->connection, x->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Whoever is the last to let go resumes the connection; the exchange may then be in use on an event loop at once. */
static void
let_go(struct exchange *x)
{
	if (atomic_fetch_sub(&x->holders, 1) == 1)
		MHD_resume_connection(x->connection);
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
	MHD_resume_connection(connection);
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
		MHD_resume_connection(x->connection); /* to come back here and go on */
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
	MHD_resume_connection(x->connection);
}

/* Suspends the connection and has `run` called by a computing thread, which resumes it. */
static void
compute_apart(struct exchange *x, void (*run)(void *))
{
	deadline_enter(x->deadline, DEADLINE_COMPUTING);
	x->job = (struct compute_job){ .run = run, .arg = x };
	MHD_suspend_connection(x->connection);
	compute_run(x->server->compute, &x->job);
}

/* The request's next step. */
static enum MHD_Result
advance(struct exchange *x)
{
	enum request_next next;

	deadline_enter(x->deadline, DEADLINE_COMPUTING);
	if (!x->stepped && x->request.err.code == ERR_NONE)
		(void)answer_reserve(&x->answer, &x->wishes, &x->request.err); /* which is looked at by the step */
	next = x->stepped ? REQUEST_DONE : request_step(&x->request, false);
	if (next == REQUEST_DONE)
		return send_answer(x);
	if (next == REQUEST_LONG) {
		compute_apart(x, step_apart);
	} else {
		MHD_suspend_connection(x->connection);
		ask(x, next);
	}
	return MHD_YES;
}

static enum MHD_Result
first_call(struct exchange *x, const char *method, const char *version)
{
	uint64_t length;
	const char *expect;

	x->has_headers = true;
	deadline_enter(x->deadline, DEADLINE_BODY);
	snprintf(x->method, sizeof(x->method), "%s", method);
	request_id_make(x->request_id, header(x, "X-Request-Id"));
	x->traceparent = header(x, "traceparent");
	if (read_headers(x, version, &x->request.err) == 0)
		return MHD_YES;
	length = announced_length(x);
	expect = header(x, MHD_HTTP_HEADER_EXPECT);
	if (length > SWALLOW_MAX || (length > 0 && expect != NULL && strcasecmp(expect, "100-continue") == 0))
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
	atomic_store(&x->taking_rest, false);
	MHD_resume_connection(x->connection);
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
	atomic_store(&x->taking_rest, true);
	compute_apart(x, take_rest);
}

static enum MHD_Result
take_body(struct exchange *x, const char *piece, size_t size)
{
	struct request *rq = &x->request;
	size_t taken;

	deadline_enter(x->deadline, DEADLINE_BODY);
	x->body_bytes += size;
	if (rq->err.code != ERR_NONE)
		return x->body_bytes > SWALLOW_MAX ? MHD_NO : MHD_YES;
	if (x->body_bytes > x->server->max_body_bytes)
		(void)refuse_large(x, &rq->err);
	else if (request_body(rq, piece, size, &taken) == 0 && taken < size)
		leave_rest(x, piece + taken, size - taken);
	return MHD_YES; /* where rq->err is set now, the rest is swallowed */
}

enum MHD_Result
exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **context)
{
	struct exchange *x = *context;
	enum MHD_Result result;

	(void)url;
	if (x == NULL) /* there was no memory for it */
		return MHD_queue_response(connection, MHD_HTTP_SERVICE_UNAVAILABLE, ((const struct server *)arg)->exhausted);
	if (!x->has_headers)
		return first_call(x, method, version);
	if (atomic_load(&x->taking_rest))
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
	fields[n++] = (struct log_field){ .name = "status", .number = x->status };
	if (x->code[0] != '\0')
		fields[n++] = (struct log_field){ .name = "code", .text = x->code };
	if (x->request.err.code != ERR_NONE)
		fields[n++] = (struct log_field){ .name = "detail", .text = x->request.err.detail };
	fields[n++] =
	    (struct log_field){ .name = "duration_ms", .number = (double)(clock_monotonic_us() - x->started_us) / 1000 };
	fields[n++] = (struct log_field){ .name = "bytes_in", .number = (double)x->body_bytes };
	fields[n++] = (struct log_field){ .name = "bytes_out", .number = (double)x->answer.sent };
	fields[n++] = (struct log_field){ .name = "client", .text = client };
	fields[n++] = (struct log_field){ .name = "request_id", .text = x->request_id };
	if (x->traceparent != NULL)
		fields[n++] = (struct log_field){ .name = "traceparent", .text = x->traceparent };
	if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
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

	answer_fini(&x->answer);
	request_fini(&x->request);
	buf_fini(&x->allow);
	free(x->target);
	free(x);
}

void
exchange_end(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;
	struct server *server;

	(void)arg, (void)connection;
	if (x == NULL)
		return;
	*context = NULL;
	server = x->server;
	log_exchange(x, how);
	deadline_enter(x->deadline, DEADLINE_IDLE);
	if (request_is_long(&x->request)) {
		x->job = (struct compute_job){ .run = exchange_free, .arg = x };
		compute_run(server->compute, &x->job);
	} else {
		exchange_free(x);
	}
	server_leave(server);
}
