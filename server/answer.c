/* SPDX-License-Identifier: MIT */
#include "server/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "handlers/placeholders.h"
#include "handlers/routes.h"
#include "server/answer_body.h"
#include "server/answer_headers.h"
#include "server/oip_header.h"

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* Fails for want of memory only: the answer is then as good as it can be. */
	(void)MHD_add_response_header(response, name, value);
}

/* The path in its shortest form: the client's own may be longer than an answer's head has room for. */
static void
add_location(struct answer_headers *headers, const struct request *rq)
{
	char path[PLACEHOLDERS_PATH_BYTES + BUF_UINT_BYTES + 1];
	size_t len;

	placeholders_fill(rq, path);
	len = strlen(path);
	if (rq->reply.location_number != 0)
		snprintf(path + len, sizeof(path) - len, "/%" PRIu64, rq->reply.location_number);
	answer_headers_add(headers, MHD_HTTP_HEADER_LOCATION, path);
}

static void
add_file_name(struct answer_headers *headers, const char *name)
{
	char disposition[sizeof("attachment; filename=\"\"") + sizeof(((struct reply_source *)0)->file_name)];

	snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", name);
	answer_headers_add(headers, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
}

/* What a page may do, whatever it says. It uses this daemon's calls and nothing else. */
static const struct {
	const char *name, *value;
} web_headers[] = {
	{ "Content-Security-Policy",
	    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

static void
add_web_headers(struct answer_headers *headers)
{
	for (size_t i = 0; i < sizeof(web_headers) / sizeof(web_headers[0]); i++)
		answer_headers_add(headers, web_headers[i].name, web_headers[i].value);
}

/* By which of the client's wishes the answer would be another; NULL: by none. */
static const char *
vary_of(const struct request *rq, bool coded)
{
	if (rq->web != NULL && rq->route->web == WEB_ROUTE_PAGE_OR_JSON)
		return "Accept, Accept-Encoding";
	return coded || rq->web_wish != WEB_UNWANTED ? MHD_HTTP_HEADER_ACCEPT_ENCODING : NULL;
}

/* Caches may keep what has no state, and ask for a page whether they have the latest. NULL: nothing is said. */
static const char *
cache_control_of(const struct request *rq)
{
	if (rq->web_wish != WEB_UNWANTED)
		return *rq->web->root == '\0' ? "no-cache" : "no-store";
	return rq->route->no_state ? NULL : "no-store";
}

static void
add_reply_headers(struct answer_headers *headers, const struct request *rq, bool coded)
{
	const struct reply *reply = &rq->reply;

	const char *vary = vary_of(rq, coded);

	if (vary != NULL)
		answer_headers_add(headers, MHD_HTTP_HEADER_VARY, vary);
	if (reply->source.file_name[0] != '\0')
		add_file_name(headers, reply->source.file_name);
	if (reply->has_location)
		add_location(headers, rq);
	if (reply->etag[0] != '\0')
		answer_headers_add(headers, MHD_HTTP_HEADER_ETAG, reply->etag);
	if (reply->source.has_ranges)
		answer_headers_add(headers, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	if (reply->has_age)
		answer_headers_add_number(headers, MHD_HTTP_HEADER_AGE, reply->age_s, false);
	if (reply->has_revision) {
		answer_headers_add_number(headers, MHD_HTTP_HEADER_ETAG, reply->revision, true);
		answer_headers_add_number(headers, "Normd-Revision", reply->revision, false);
	}
	if (reply->has_version && reply->version == 0)
		answer_headers_add(headers, "Normd-Version", "live");
	else if (reply->has_version)
		answer_headers_add_number(headers, "Normd-Version", reply->version, false);
	if (reply->has_seed)
		answer_headers_add_number(headers, "Normd-Seed", reply->seed, false);
	if (reply->oip_header_bytes > 0)
		answer_headers_add_number(headers, OIP_HEADER, reply->oip_header_bytes, false);
	if (reply->has_count)
		answer_headers_add_number(headers, "Normd-Num-Batches-Tracked", reply->num_batches_tracked, false);
}

#define CONTENT_RANGE_BYTES (sizeof("bytes -/") + (size_t)3 * BUF_UINT_BYTES)

/* `bytes 0-99/200`, or a star in the place of the bytes where there are none (RFC 9110, section 14.4). */
static const char *
content_range(const struct range *range, uint64_t total, char text[CONTENT_RANGE_BYTES])
{
	if (range->choice == RANGE_PART)
		snprintf(text, CONTENT_RANGE_BYTES, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
		    range->first + range->bytes - 1, total);
	else
		snprintf(text, CONTENT_RANGE_BYTES, "bytes */%" PRIu64, total);
	return text;
}

void
answer_choose_range(struct answer *a, struct request *rq, const struct answer_wishes *wishes)
{
	const struct reply_source *source = &rq->reply.source;

	a->range = (struct range){ .choice = RANGE_WHOLE, .bytes = source->bytes };
	if (rq->reply.etag[0] != '\0')
		a->range = range_choose(&wishes->range, rq->reply.etag, source->bytes);
	if (a->range.choice == RANGE_BEYOND)
		err_set(&rq->err, ERR_RANGE_NOT_SATISFIABLE,
		    "the range \"%.64s\" has none of the %" PRIu64 " bytes of the answer", wishes->range.range,
		    source->bytes);
}

/* The status of a reply, of which perhaps a part is sent. */
static unsigned
reply_status(const struct answer *a, const struct reply *reply, bool empty)
{
	if (reply->source.read == NULL)
		return empty ? MHD_HTTP_NO_CONTENT : reply->status;
	return a->range.choice == RANGE_PART      ? MHD_HTTP_PARTIAL_CONTENT :
	    a->range.choice == RANGE_NOT_MODIFIED ? MHD_HTTP_NOT_MODIFIED :
						    reply->status;
}

bool
answer_add_header(void *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* A problem_add. */
static bool
add_to_headers(void *headers, const char *name, const char *value)
{
	answer_headers_add(headers, name, value);
	return true;
}

struct MHD_Response *
answer_make_error(const struct problem *p, uint64_t *bytes)
{
	struct MHD_Response *response;
	struct answer_headers headers;
	struct buf b;

	buf_init(&b, 65536);
	problem_format(&b, p);
	*bytes = b.len;
	response = answer_body_take(&b);
	buf_fini(&b);
	if (response == NULL)
		return NULL;
	answer_headers_init(&headers, response);
	if (problem_headers(p, add_to_headers, &headers) && answer_headers_put(&headers))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

static const char *
media_type(const struct request *rq)
{
	if (rq->reply.source.media_type != NULL)
		return rq->reply.source.media_type;
	if (rq->route->stream_type != NULL)
		return rq->route->stream_type;
	if (rq->route->text_type != NULL)
		return rq->route->text_type;
	if (rq->reply.form == FORM_OIP && rq->reply.oip_header_bytes == 0)
		return form_ops(FORM_JSON)->media_type;
	return form_ops(rq->reply.form)->media_type;
}

/* The headers of a reply. False: no memory. */
static bool
describe(struct MHD_Response *response, const struct answer *a, const struct request *rq,
    const struct answer_wishes *wishes, bool coded, unsigned status)
{
	const enum coding coding = coded ? wishes->coding : rq->reply.source.coding;
	const char *cache_control = cache_control_of(rq);
	struct answer_headers headers;
	char text[CONTENT_RANGE_BYTES];

	answer_headers_init(&headers, response);
	if (status != MHD_HTTP_NO_CONTENT && status != MHD_HTTP_NOT_MODIFIED) {
		answer_headers_add(&headers, MHD_HTTP_HEADER_CONTENT_TYPE, media_type(rq));
		if (coding != CODING_IDENTITY)
			answer_headers_add(&headers, MHD_HTTP_HEADER_CONTENT_ENCODING, coding_name(coding));
	}
	add_reply_headers(&headers, rq, coded);
	if (a->range.choice == RANGE_PART)
		answer_headers_add(
		    &headers, MHD_HTTP_HEADER_CONTENT_RANGE, content_range(&a->range, rq->reply.source.bytes, text));
	answer_headers_add(&headers, "X-Content-Type-Options", "nosniff");
	if (cache_control != NULL)
		answer_headers_add(&headers, MHD_HTTP_HEADER_CACHE_CONTROL, cache_control);
	answer_headers_add(&headers, "X-Request-Id", wishes->request_id);
	if (rq->web_wish != WEB_UNWANTED)
		add_web_headers(&headers);
	return answer_headers_put(&headers);
}

static struct MHD_Response *
make_reply(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	struct MHD_Response *response;
	bool coded, empty;

	if (reply_failed(&rq->reply))
		return NULL;
	response = answer_body_make(a, &rq->reply, wishes, &coded, &empty);
	*status = reply_status(a, &rq->reply, empty);
	if (response == NULL || describe(response, a, rq, wishes, coded, *status))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

/* The response for the request's error. NULL: no memory. */
static struct MHD_Response *
make_refusal(struct answer *a, const struct request *rq, const struct answer_wishes *wishes)
{
	struct MHD_Response *response =
	    answer_make_error(&(struct problem){ &rq->err, wishes->request_id, wishes->target }, &a->sent);
	char text[CONTENT_RANGE_BYTES];

	if (response != NULL && a->range.choice == RANGE_BEYOND)
		add_header(
		    response, MHD_HTTP_HEADER_CONTENT_RANGE, content_range(&a->range, rq->reply.source.bytes, text));
	return response;
}

struct MHD_Response *
answer_make(struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status)
{
	struct MHD_Response *response;

	if (rq->err.code != ERR_NONE) {
		*status = err_row(rq->err.code)->status;
		response = make_refusal(a, rq, wishes);
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
	response = answer_make_error(&(struct problem){ &e, "", PROBLEM_OIP_TARGET }, &bytes);
	if (response == NULL || MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES)
		return response;
	MHD_destroy_response(response);
	return NULL;
}
