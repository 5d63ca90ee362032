/* SPDX-License-Identifier: MIT */
#include "server/sending.h"

#include <stdatomic.h>

#include "base/log.h"
#include "server/direct.h"
#include "server/library.h"
#include "server/server.h"

#define HEADERS_MAX ((size_t)4096)

void
sending_init(struct sending *s, const struct answer_wishes *wishes, struct budget *memory)
{
	*s = (struct sending){ .wishes = *wishes };
	answer_init(&s->answer, memory);
	buf_init(&s->allow, 256);
}

void
sending_fini(struct sending *s)
{
	answer_fini(&s->answer);
	buf_fini(&s->allow);
}

/* The response to the request; if there is no memory for it and nothing was stored, one that says so; or NULL. */
static struct MHD_Response *
make_response(struct sending *s, struct request *rq)
{
	struct MHD_Response *response = answer_make(&s->answer, rq, &s->wishes, &s->status);

	if (response != NULL || request_stored(rq))
		return response;
	err_set_memory(&rq->err);
	answer_fini(&s->answer);
	return answer_make(&s->answer, rq, &s->wishes, &s->status);
}

void
sending_refuse_ahead(struct sending *s, const struct server *server, int fd, const struct request *rq, bool with_body)
{
	const struct problem problem = { &rq->err, s->wishes.request_id, s->wishes.target };
	struct buf headers;

	buf_init(&headers, HEADERS_MAX);
	origins_add_headers(&server->origins, &s->grant, "", direct_write_header, &headers);
	s->answer.sent = direct_answer_ahead(fd, &problem, &headers, with_body);
	buf_fini(&headers);
}

/* There is no memory for a response of its own. Only a client whose request stored nothing is told to come again. */
static enum MHD_Result
queue_exhausted(
    struct sending *s, const struct server *server, struct MHD_Connection *connection, const struct request *rq)
{
	if (request_stored(rq)) {
		s->status = 0;
		log_event(LOG_WARN, "no memory to answer what was stored",
		    (const struct log_field[]){ { .name = "request_id", .text = s->wishes.request_id } }, 1);
		return MHD_NO;
	}
	return MHD_queue_response(connection, s->status, server->exhausted);
}

enum MHD_Result
sending_queue(struct sending *s, const struct server *server, struct MHD_Connection *connection, struct request *rq)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	bool close;

	if (s->allow.len > 0)
		buf_byte(&s->allow, '\0');
	if (rq->err.code == ERR_NONE)
		answer_choose_range(&s->answer, rq, &s->wishes);
	s->wishes.allow = s->allow.len == 0 || s->allow.failed ? "" : s->allow.bytes;
	response = make_response(s, rq);
	s->error = rq->err.code;
	s->shed = rq->err.shed;
	if (response == NULL)
		return queue_exhausted(s, server, connection, rq);
	origins_add_headers(&server->origins, &s->grant, s->wishes.allow, answer_add_header, response);
	/* Before the server stops, that is a courtesy: a client that knows of the close sends no request into it. */
	close = s->close || atomic_load(&server->phase) != SERVER_SERVES;
	if (close && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES && s->close)
		result = MHD_NO;
	else
		result = MHD_queue_response(connection, s->status, response);
	MHD_destroy_response(response);
	return result;
}
