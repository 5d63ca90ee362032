#include "server/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/npy.h"
#include "server/problem.h"

/* An answer of up to so many bytes, or values as text, is made at once: it then carries a Content-Length and costs one system call. */
#define WHOLE_BYTES_MAX ((size_t)64 * 1024)
#define WHOLE_VALUES_MAX ((size_t)16384)
#define BLOCK_BYTES ((size_t)64 * 1024)

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
answer_fini(struct answer *a)
{
	coding_encoder_free(a->encoder);
	a->encoder = NULL;
}

/*
 * libmicrohttpd asks for as much as its buffer has room for, which may be less than one number needs: then the number is
 * written aside and handed out in pieces.
 */
struct streaming {
	struct answer *answer;
	char aside[JSON_TENSOR_ROOM + 64];
	struct answer_piece rest; /* of `aside` */
};

static ssize_t
stream_read(void *arg, uint64_t position, char *out, size_t room)
{
	struct streaming *s = arg;
	size_t n;

	(void)position;
	if (s->rest.taken == s->rest.len && room < JSON_TENSOR_ROOM)
		s->rest = (struct answer_piece){ s->aside, answer_read(s->answer, s->aside, sizeof(s->aside)), 0 };
	n = take(&s->rest, out, room);
	if (n == 0)
		n = answer_read(s->answer, out, room);
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

static struct MHD_Response *
make_stream(struct answer *a)
{
	struct streaming *s = calloc(1, sizeof(*s));
	struct MHD_Response *response;

	if (s == NULL)
		return NULL;
	s->answer = a;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read, s, free);
	if (response == NULL)
		free(s);
	return response;
}

/* The pieces, sent from where they lie: they belong to the request, which ends after the last byte was sent. */
static struct MHD_Response *
make_pieces(struct answer *a)
{
	const struct MHD_IoVec pieces[] = { { a->head.bytes, a->head.len }, { a->values.bytes, a->values.len },
		{ a->tail.bytes, a->tail.len } };

	a->sent = a->head.len + a->values.len + a->tail.len;
	return MHD_create_response_from_iovec(pieces, 3, NULL, NULL);
}

static struct MHD_Response *
response_from(struct buf *b)
{
	struct MHD_Response *response;

	if (b->failed)
		return NULL;
	if (b->len == 0)
		return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer(b->len, b->bytes, MHD_RESPMEM_MUST_FREE);
	if (response != NULL)
		*b = (struct buf){ 0 };
	return response;
}

static struct MHD_Response *
make_whole(struct answer *a, size_t expected)
{
	struct MHD_Response *response;
	struct buf b;
	char *room;
	size_t n = 1, more = expected > JSON_TENSOR_ROOM ? expected : JSON_TENSOR_ROOM;

	buf_init(&b, SIZE_MAX);
	while (n > 0 && (room = buf_reserve(&b, more)) != NULL) {
		n = answer_read(a, room, b.size - b.len);
		b.len += n;
		more = JSON_TENSOR_ROOM;
	}
	response = response_from(&b);
	buf_fini(&b);
	return response;
}

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* Fails for want of memory only: the answer is then as good as it can be. */
	(void)MHD_add_response_header(response, name, value);
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

static void
add_reply_headers(
    struct MHD_Response *response, const struct reply *reply, enum form form, const struct answer_wishes *wishes, bool coded)
{
	if (reply->status != MHD_HTTP_NO_CONTENT)
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, form_media_type(form));
	if (coded) {
		add_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, coding_name(wishes->coding));
		add_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	}
	if (reply->has_location)
		add_header(response, MHD_HTTP_HEADER_LOCATION, wishes->target);
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
make_problem(struct answer *a, const struct err *e, const char *allow, const char *request_id)
{
	struct MHD_Response *response;
	struct buf b;

	buf_init(&b, 65536);
	problem_format(&b, e, request_id);
	a->sent = b.len;
	response = response_from(&b);
	buf_fini(&b);
	if (response == NULL)
		return NULL;
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/problem+json");
	if (e->code == ERR_METHOD_NOT_ALLOWED)
		add_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	if (e->retry_after_s > 0)
		add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, e->retry_after_s, false);
	return response;
}

/* A reply as JSON. */
static void
lay_out_json(struct answer *a, const struct reply *reply)
{
	a->head = (struct answer_piece){ reply->head.bytes, reply->head.len, 0 };
	a->tail = (struct answer_piece){ reply->tail.bytes, reply->tail.len, 0 };
	a->text = reply->tensor;
}

/* Further files, after the first tensor's. */
static int
add_files(struct answer *a, struct request *rq)
{
	const struct reply *reply = &rq->reply;
	char *room, *end;
	size_t bytes = 0;

	for (unsigned i = 0; i < reply->more_count; i++)
		bytes += NPY_HEADER_MAX + reply->more[i]->count * datatype_size(reply->more[i]->datatype);
	room = end = arena_alloc(&rq->arena, bytes);
	if (room == NULL)
		return -1;
	for (unsigned i = 0; i < reply->more_count; i++) {
		const struct tensor *t = reply->more[i];

		end += npy_header_format(t, end);
		if (t->count > 0)
			memcpy(end, t->values, t->count * datatype_size(t->datatype));
		end += t->count * datatype_size(t->datatype);
	}
	a->tail = (struct answer_piece){ room, (size_t)(end - room), 0 };
	return 0;
}

/* A reply as .npy; one without a tensor says all it has to say in its headers. */
static int
lay_out_npy(struct answer *a, struct request *rq)
{
	const struct tensor *t = rq->reply.tensor;
	char *header;

	if (t == NULL) {
		rq->reply.status = MHD_HTTP_NO_CONTENT;
		return 0;
	}
	header = arena_alloc(&rq->arena, NPY_HEADER_MAX);
	if (header == NULL)
		return -1;
	a->head = (struct answer_piece){ header, npy_header_format(t, header), 0 };
	a->values = (struct answer_piece){ t->values, t->count * datatype_size(t->datatype), 0 };
	return rq->reply.more_count > 0 ? add_files(a, rq) : 0;
}

static struct MHD_Response *
make_reply(struct answer *a, struct request *rq, const struct answer_wishes *wishes)
{
	const size_t values = rq->reply.tensor == NULL ? 0 : rq->reply.tensor->count;
	struct MHD_Response *response;
	size_t expected;
	bool coded;

	if (rq->answer_form == FORM_JSON)
		lay_out_json(a, &rq->reply);
	else if (lay_out_npy(a, rq) < 0)
		return NULL;
	expected = a->head.len + a->values.len + a->tail.len + (a->text != NULL ? values * VALUE_TEXT_BYTES : 0);
	coded = wishes->coding != CODING_IDENTITY && expected > 0 && (expected >= CODED_BYTES_MIN || wishes->coding_must);
	if (coded)
		a->encoder = coding_encoder_new(wishes->coding, read_plain, a);
	/* An answer that nobody insists on packing is better than none where there is no memory for the encoder. */
	coded = a->encoder != NULL;
	if (!coded && wishes->coding_must && expected > 0)
		return NULL;
	if (a->text != NULL ? values <= WHOLE_VALUES_MAX : expected <= WHOLE_BYTES_MAX)
		response = make_whole(a, expected);
	else
		response = a->text == NULL && !coded ? make_pieces(a) : make_stream(a);
	if (response != NULL)
		add_reply_headers(response, &rq->reply, rq->answer_form, wishes, coded);
	return response;
}

struct MHD_Response *
answer_make(struct answer *a, struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	struct MHD_Response *response;

	*a = (struct answer){ 0 };
	if (rq->err.code != ERR_NONE) {
		*status = err_status(rq->err.code);
		response = make_problem(a, &rq->err, wishes->allow, wishes->request_id);
	} else {
		response = make_reply(a, rq, wishes);
		*status = rq->reply.status;
	}
	if (response != NULL)
		add_header(response, "X-Request-Id", wishes->request_id);
	return response;
}
