#include "server/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/problem.h"

/* An answer of up to so many values is made at once: it then carries a Content-Length and costs one system call. */
#define WHOLE_VALUES_MAX ((size_t)4096)
#define BLOCK_BYTES ((size_t)64 * 1024)

static size_t
take(const struct buf *from, size_t *sent, char *out, size_t room)
{
	size_t n = from->len - *sent < room ? from->len - *sent : room;

	if (n > 0)
		memcpy(out, from->bytes + *sent, n);
	*sent += n;
	return n;
}

/* Writes the next bytes of the answer; 0 only at its end, where room >= JSON_TENSOR_ROOM. */
static size_t
answer_read(struct answer *a, char *out, size_t room)
{
	const struct reply *reply = a->reply;
	size_t n = take(&reply->head, &a->head_sent, out, room);

	if (reply->tensor != NULL && !a->cursor.done && room - n >= JSON_TENSOR_ROOM)
		n += json_tensor_read(reply->tensor, &a->cursor, out + n, room - n);
	if (reply->tensor == NULL || a->cursor.done)
		n += take(&reply->tail, &a->tail_sent, out + n, room - n);
	a->sent += n;
	return n;
}

/*
 * libmicrohttpd asks for as much as its buffer has room for, which may be less than one number needs: then the number is
 * written aside and handed out in pieces.
 */
struct streaming {
	struct answer *answer;
	char aside[JSON_TENSOR_ROOM + 64];
	size_t aside_len, aside_sent;
};

static ssize_t
stream_read(void *arg, uint64_t position, char *out, size_t room)
{
	struct streaming *s = arg;
	size_t n;

	(void)position;
	if (s->aside_sent == s->aside_len && room < JSON_TENSOR_ROOM) {
		s->aside_len = answer_read(s->answer, s->aside, sizeof(s->aside));
		s->aside_sent = 0;
	}
	if (s->aside_sent < s->aside_len) {
		n = s->aside_len - s->aside_sent < room ? s->aside_len - s->aside_sent : room;
		memcpy(out, s->aside + s->aside_sent, n);
		s->aside_sent += n;
		return (ssize_t)n;
	}
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
make_whole(struct answer *a)
{
	struct MHD_Response *response = NULL;
	struct buf b;
	char *room;
	size_t n = 1;

	buf_init(&b, SIZE_MAX);
	while (n > 0 && (room = buf_reserve(&b, 1024)) != NULL) {
		n = answer_read(a, room, b.size - b.len);
		b.len += n;
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

static void
add_reply_headers(struct MHD_Response *response, const struct reply *reply, const char *target)
{
	char text[32];

	if (reply->status != MHD_HTTP_NO_CONTENT)
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (reply->has_location)
		add_header(response, MHD_HTTP_HEADER_LOCATION, target);
	if (!reply->has_revision)
		return;
	snprintf(text, sizeof(text), "\"%" PRIu64 "\"", reply->revision);
	add_header(response, MHD_HTTP_HEADER_ETAG, text);
	snprintf(text, sizeof(text), "%" PRIu64, reply->revision);
	add_header(response, "Normd-Revision", text);
}

static struct MHD_Response *
make_problem(struct answer *a, const struct err *e, const char *allow, const char *request_id)
{
	struct MHD_Response *response;
	char text[16];
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
	if (e->retry_after_s > 0) {
		snprintf(text, sizeof(text), "%u", e->retry_after_s);
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
	}
	return response;
}

struct MHD_Response *
answer_make(
    struct answer *a, const struct request *rq, const char *target, const char *allow, const char *request_id, unsigned *status)
{
	const struct reply *reply = &rq->reply;
	struct MHD_Response *response;

	*a = (struct answer){ .reply = reply };
	if (rq->err.code != ERR_NONE) {
		*status = err_status(rq->err.code);
		response = make_problem(a, &rq->err, allow, request_id);
	} else {
		*status = reply->status;
		response = reply->tensor != NULL && reply->tensor->count > WHOLE_VALUES_MAX ? make_stream(a) : make_whole(a);
		if (response != NULL)
			add_reply_headers(response, reply, target);
	}
	if (response != NULL)
		add_header(response, "X-Request-Id", request_id);
	return response;
}
