/* SPDX-License-Identifier: MIT */
#include "server/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/problem.h"
#include "handlers/routes.h"

/*
 * An answer of up to so many bytes, or values as text, is made at once: it then carries a Content-Length and costs one
 * system call.
 */
#define WHOLE_BYTES_MAX ((size_t)64 * 1024)
#define WHOLE_VALUES_MAX ((size_t)16384)
#define BLOCK_BYTES ((size_t)64 * 1024)
#define BLOCK_BYTES_MIN ((size_t)2048) /* where there is no memory for that; in every answer's credit */

/* The same of what is coded, which takes ten times as long: half a millisecond of the event loop's time. */
#define WHOLE_CODED_VALUES_MAX ((size_t)4096)

/* A coding does not pay for less than what fits a packet. */
#define CODED_BYTES_MIN ((size_t)1024)

/* A guess at a value's text, to ask for memory once. */
#define VALUE_TEXT_BYTES ((size_t)14)

static size_t
take(struct answer_piece *p, char *out, size_t room)
{
	size_t n = p->len - p->taken < room ? p->len - p->taken : room;

	if (n > 0)
		memcpy(out, p->bytes + p->taken, n);
	p->taken += n;
	return n;
}

/* Writes the next bytes of the answer without a coding; 0 only at its end, where room >= JSON_TENSOR_ROOM. */
static size_t
read_plain(void *arg, char *out, size_t room)
{
	struct answer *a = arg;
	size_t n = take(&a->head, out, room);

	n += take(&a->values, out + n, room - n);
	if (a->text != NULL && !a->cursor.done && room - n >= JSON_TENSOR_ROOM)
		n += json_tensor_read(a->text, &a->cursor, out + n, room - n);
	if (a->text == NULL || a->cursor.done)
		n += take(&a->tail, out + n, room - n);
	return n;
}

/* The same as the client gets it. */
static size_t
answer_read(struct answer *a, char *out, size_t room)
{
	size_t n = a->encoder != NULL ? coding_encode(a->encoder, out, room) : read_plain(a, out, room);

	a->sent += n;
	return n;
}

void
answer_init(struct answer *a, struct budget *memory)
{
	*a = (struct answer){ .memory.budget = memory };
	budget_credit(&a->memory, ANSWER_CREDIT_BYTES);
}

/* An encoder, counted; NULL where there is no memory. */
static struct coding_encoder *
make_encoder(struct answer *a, enum coding coding)
{
	struct coding_encoder *encoder;

	if (!budget_take(&a->memory, CODING_ENCODER_BYTES))
		return NULL;
	encoder = coding_encoder_new(coding, read_plain, a);
	if (encoder == NULL)
		budget_give(&a->memory, CODING_ENCODER_BYTES);
	return encoder;
}

static void
free_encoder(struct answer *a)
{
	if (a->encoder == NULL)
		return;
	coding_encoder_free(a->encoder);
	a->encoder = NULL;
	budget_give(&a->memory, CODING_ENCODER_BYTES);
}

int
answer_reserve(struct answer *a, const struct answer_wishes *wishes, struct err *e)
{
	if (!wishes->coding_must || a->encoder != NULL)
		return 0;
	a->encoder = make_encoder(a, wishes->coding);
	return a->encoder != NULL ? 0 : err_fail_budget(e);
}

void
answer_fini(struct answer *a)
{
	struct budget *memory = a->memory.budget;

	free_encoder(a);
	buf_fini(&a->begun);
	budget_give_all(&a->memory);
	answer_init(a, memory);
}

/*
 * libmicrohttpd asks for as much as its buffer has room for, which may be less than one number needs: then the number
 * is written aside and handed out in pieces.
 */
static ssize_t
stream_read(void *arg, uint64_t position, char *out, size_t room)
{
	struct answer *a = arg;
	size_t n;

	(void)position;
	if (a->written.taken == a->written.len && room < JSON_TENSOR_ROOM)
		a->written = (struct answer_piece){ a->number, answer_read(a, a->number, sizeof(a->number)), 0 };
	n = take(&a->written, out, room);
	if (n == 0)
		n = answer_read(a, out, room);
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

/* A response of `bytes` that `read` writes, in blocks as large as there is memory for. */
static struct MHD_Response *
make_blocks(struct answer *a, uint64_t bytes, MHD_ContentReaderCallback read)
{
	struct MHD_Response *response = NULL;

	if (budget_take(&a->memory, BLOCK_BYTES))
		response = MHD_create_response_from_callback(bytes, BLOCK_BYTES, read, a, NULL);
	return response != NULL ? response : MHD_create_response_from_callback(bytes, BLOCK_BYTES_MIN, read, a, NULL);
}

/*
 * The pieces, as they are. They could be sent from where they lie, but then libmicrohttpd hands all that is left to one
 * sendmsg, which for 4 MB holds the event loop for a millisecond; a copy costs less than a tenth of that, and lets
 * others be served between the blocks.
 */
static ssize_t
pieces_read(void *arg, uint64_t position, char *out, size_t room)
{
	(void)position;
	return (ssize_t)answer_read(arg, out, room);
}

static struct MHD_Response *
make_empty(void)
{
	return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *
response_from(struct buf *b)
{
	struct MHD_Response *response;

	if (b->failed)
		return NULL;
	response = MHD_create_response_from_buffer(b->len, b->bytes, MHD_RESPMEM_MUST_FREE);
	if (response != NULL)
		*b = (struct buf){ 0 };
	return response;
}

/* NULL: no memory for all of it at once. What was begun is written then, for make_stream to go on from. */
static struct MHD_Response *
make_whole(struct answer *a, size_t expected)
{
	struct MHD_Response *response;
	struct buf *b = &a->begun;
	char *room;
	size_t n = 1, more = expected > JSON_TENSOR_ROOM ? expected : JSON_TENSOR_ROOM;

	buf_init(b, SIZE_MAX);
	buf_count(b, &a->memory);
	while (n > 0 && (room = buf_reserve(b, more)) != NULL) {
		n = answer_read(a, room, b->size - b->len);
		b->len += n;
		more = JSON_TENSOR_ROOM;
	}
	response = response_from(b);
	a->written = (struct answer_piece){ b->bytes, b->len, 0 };
	return response;
}

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* Fails for want of memory only: the answer is then as good as it can be. */
	(void)MHD_add_response_header(response, name, value);
}

/* What says how the body is to be read. A response without it is none: it is given back, and NULL instead of it. */
static struct MHD_Response *
describe_body(struct MHD_Response *response, const char *media_type, const char *coding)
{
	if (response == NULL)
		return NULL;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type) == MHD_YES &&
	    (coding == NULL || MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, coding) == MHD_YES))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

/* A whole number, perhaps in quotes. */
static void
add_number(struct MHD_Response *response, const char *name, uint64_t number, bool quoted)
{
	char text[BUF_UINT_BYTES + 3], *end = text;

	*end = '"';
	end += quoted;
	end += buf_format_uint(end, number);
	*end = '"';
	end += quoted;
	*end = '\0';
	add_header(response, name, text);
}

/*
 * Where the layer is, in the shortest form of its path: the client's own may be longer than an answer's head has room
 * for.
 */
static void
add_location(struct MHD_Response *response, const struct request *rq)
{
	char path[sizeof("/v1/models//layers/") + (size_t)2 * STORE_NAME_MAX];

	snprintf(path, sizeof(path), "/v1/models/%s/layers/%s", rq->model, rq->layer);
	add_header(response, MHD_HTTP_HEADER_LOCATION, path);
}

static void
add_reply_headers(struct MHD_Response *response, const struct request *rq, bool coded)
{
	const struct reply *reply = &rq->reply;

	if (coded)
		add_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (reply->has_location)
		add_location(response, rq);
	if (reply->has_revision) {
		add_number(response, MHD_HTTP_HEADER_ETAG, reply->revision, true);
		add_number(response, "Normd-Revision", reply->revision, false);
	}
	if (reply->has_seed)
		add_number(response, "Normd-Seed", reply->seed, false);
	if (reply->has_count)
		add_number(response, "Normd-Num-Batches-Tracked", reply->num_batches_tracked, false);
}

static struct MHD_Response *
make_problem(struct answer *a, const struct err *e, const char *request_id)
{
	struct MHD_Response *response;
	struct buf b;

	buf_init(&b, 65536);
	problem_format(&b, e, request_id);
	a->sent = b.len;
	response = describe_body(response_from(&b), "application/problem+json", NULL);
	buf_fini(&b);
	if (response == NULL)
		return NULL;
	if (e->retry_after_s > 0)
		add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, e->retry_after_s, false);
	return response;
}

/* Where the reply's parts go in the form that the client takes. What .npy has no place for is in the headers alone. */
static void
lay_out(struct answer *a, const struct reply *reply, enum form form)
{
	const struct tensor *t = reply->tensor;

	a->head = (struct answer_piece){ reply->head.bytes, reply->head.len, 0 };
	if (form == FORM_JSON) {
		a->text = t;
		a->tail = (struct answer_piece){ reply->tail.bytes, reply->tail.len, 0 };
	} else if (t != NULL) {
		a->values = (struct answer_piece){ t->values, t->count * datatype_size(t->datatype), 0 };
		a->tail = (struct answer_piece){ reply->files.bytes, reply->files.len, 0 };
	}
}

/* Whether the answer goes out in a coding. One that nobody insists on is left where there is no memory for it. */
static bool
choose_coding(struct answer *a, const struct answer_wishes *wishes, size_t expected)
{
	bool coded =
	    wishes->coding != CODING_IDENTITY && expected > 0 && (expected >= CODED_BYTES_MIN || wishes->coding_must);

	if (coded && a->encoder == NULL)
		a->encoder = make_encoder(a, wishes->coding);
	if (!coded)
		free_encoder(a);
	return a->encoder != NULL;
}

/* The body by the best way that there is memory for. */
static struct MHD_Response *
make_body(struct answer *a, size_t values, size_t expected)
{
	const size_t whole_values_max = a->encoder != NULL ? WHOLE_CODED_VALUES_MAX : WHOLE_VALUES_MAX;
	struct MHD_Response *response = NULL;

	if (a->text != NULL ? values <= whole_values_max : expected <= WHOLE_BYTES_MAX)
		response = make_whole(a, expected);
	else if (a->text == NULL && a->encoder == NULL)
		response = make_blocks(a, a->head.len + a->values.len + a->tail.len, pieces_read);
	return response != NULL ? response : make_blocks(a, MHD_SIZE_UNKNOWN, stream_read);
}

static ssize_t
read_file(void *arg, uint64_t position, char *out, size_t room)
{
	struct answer *a = arg;
	ssize_t n = pread(a->file->descriptor, out, room, (off_t)position);

	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	a->sent += (uint64_t)n;
	return n;
}

/*
 * Read block by block, not sent by sendfile(2): what waits in the socket would be the file's own pages, and those are
 * shortened away when the request has ended, which may be before the client has them.
 */
static struct MHD_Response *
make_file(struct answer *a, const struct reply *reply, const char *media_type, unsigned *status)
{
	char disposition[sizeof("attachment; filename=\"\"") + sizeof(reply->file_name)];
	struct MHD_Response *response = make_blocks(a, reply->file->bytes, read_file);

	if (response == NULL)
		return NULL;
	a->file = reply->file;
	*status = reply->status;
	snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", reply->file_name);
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type);
	add_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
	return response;
}

static struct MHD_Response *
make_reply(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	const struct reply *reply = &rq->reply;
	const size_t values = reply->tensor == NULL ? 0 : reply->tensor->count;
	struct MHD_Response *response;
	size_t expected;
	bool coded;

	if (reply_failed(reply))
		return NULL;
	lay_out(a, reply, rq->answer_form);
	expected = a->head.len + a->values.len + a->tail.len + (a->text != NULL ? values * VALUE_TEXT_BYTES : 0);
	*status = expected == 0 ? MHD_HTTP_NO_CONTENT : reply->status;
	coded = choose_coding(a, wishes, expected);
	if (expected == 0)
		response = make_empty();
	else
		response = describe_body(make_body(a, values, expected), form_media_type(rq->answer_form),
		    coded ? coding_name(wishes->coding) : NULL);
	if (response != NULL)
		add_reply_headers(response, rq, coded);
	return response;
}

struct MHD_Response *
answer_make(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	struct MHD_Response *response;

	if (rq->err.code != ERR_NONE) {
		*status = err_status(rq->err.code);
		response = make_problem(a, &rq->err, wishes->request_id);
	} else {
		response = rq->reply.file != NULL ? make_file(a, &rq->reply, rq->route->media_type, status) :
						    make_reply(a, rq, wishes, status);
	}
	if (response != NULL && *wishes->allow != '\0')
		add_header(response, MHD_HTTP_HEADER_ALLOW, wishes->allow);
	if (response != NULL)
		add_header(response, "X-Request-Id", wishes->request_id);
	return response;
}

struct MHD_Response *
answer_make_error(const struct err *e, const char *request_id)
{
	struct answer a = { 0 };
	struct MHD_Response *response = make_problem(&a, e, request_id);

	if (response != NULL && *request_id != '\0')
		add_header(response, "X-Request-Id", request_id);
	return response;
}

struct MHD_Response *
answer_make_exhausted(void)
{
	struct MHD_Response *response;
	struct err e = { 0 };

	err_set_memory(&e);
	response = answer_make_error(&e, "");
	if (response == NULL || MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES)
		return response;
	MHD_destroy_response(response);
	return NULL;
}
