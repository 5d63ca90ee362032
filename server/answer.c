/* SPDX-License-Identifier: MIT */
#include "server/answer.h"

#include <stdio.h>

#include "handlers/placeholders.h"
#include "handlers/routes.h"
#include "server/answer_body.h"
#include "server/problem.h"

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* Fails for want of memory only: the answer is then as good as it can be. */
	(void)MHD_add_response_header(response, name, value);
}

/* What says how the body is to be read. Without it a response is none: it is destroyed, and the result is NULL. */
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

/* The layer's path in its shortest form: the client's own may be longer than an answer's head has room for. */
static void
add_location(struct MHD_Response *response, const struct request *rq)
{
	char path[PLACEHOLDERS_PATH_BYTES];

	placeholders_fill(rq, path);
	add_header(response, MHD_HTTP_HEADER_LOCATION, path);
}

static void
add_file_name(struct MHD_Response *response, const char *name)
{
	char disposition[sizeof("attachment; filename=\"\"") + sizeof(((struct reply_source *)0)->file_name)];

	snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", name);
	add_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
}

static void
add_reply_headers(struct MHD_Response *response, const struct request *rq, bool coded)
{
	const struct reply *reply = &rq->reply;

	if (coded)
		add_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (reply->source.file_name[0] != '\0')
		add_file_name(response, reply->source.file_name);
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

static bool
add_problem_header(void *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

struct MHD_Response *
answer_make_error(const struct err *e, const char *request_id, uint64_t *bytes)
{
	struct MHD_Response *response;
	struct buf b;

	buf_init(&b, 65536);
	problem_format(&b, e, request_id);
	*bytes = b.len;
	response = answer_body_take(&b);
	buf_fini(&b);
	if (response == NULL || problem_headers(e, request_id, add_problem_header, response))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

static struct MHD_Response *
make_reply(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	const char *type =
	    rq->route->stream_type != NULL ? rq->route->stream_type : form_ops(rq->reply.form)->media_type;
	struct MHD_Response *response;
	bool coded, empty;

	if (reply_failed(&rq->reply))
		return NULL;
	response = answer_body_make(a, &rq->reply, wishes, &coded, &empty);
	*status = empty ? MHD_HTTP_NO_CONTENT : rq->reply.status;
	if (!empty)
		response = describe_body(response, type, coded ? coding_name(wishes->coding) : NULL);
	if (response == NULL)
		return NULL;
	add_reply_headers(response, rq, coded);
	add_header(response, "X-Request-Id", wishes->request_id);
	return response;
}

struct MHD_Response *
answer_make(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	struct MHD_Response *response;

	if (rq->err.code != ERR_NONE) {
		*status = err_row(rq->err.code)->status;
		response = answer_make_error(&rq->err, wishes->request_id, &a->sent);
	} else {
		response = make_reply(a, rq, wishes, status);
	}
	if (response != NULL && *wishes->allow != '\0')
		add_header(response, MHD_HTTP_HEADER_ALLOW, wishes->allow);
	return response;
}

struct MHD_Response *
answer_make_exhausted(void)
{
	struct MHD_Response *response;
	struct err e = { 0 };
	uint64_t bytes;

	err_set_memory(&e);
	response = answer_make_error(&e, "", &bytes);
	if (response == NULL || MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES)
		return response;
	MHD_destroy_response(response);
	return NULL;
}
