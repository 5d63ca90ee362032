/* SPDX-License-Identifier: MIT */
#include "server/head.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/metrics.h"
#include "base/suggest.h"
#include "handlers/idempotency.h"
#include "handlers/request_memory.h"
#include "handlers/routes.h"
#include "server/authority.h"
#include "server/connections.h"
#include "server/intake.h"
#include "server/limits.h"
#include "server/negotiate.h"
#include "server/server.h"
#include "server/url.h"

uint64_t
head_announced_length(const struct headers *headers)
{
	const char *text = headers->value[HEADER_CONTENT_LENGTH];

	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

bool
head_has_body(const struct headers *headers)
{
	return headers->value[HEADER_TRANSFER_ENCODING] != NULL || head_announced_length(headers) > 0;
}

bool
head_waits_with_body(const struct headers *headers)
{
	const char *expect = headers->value[HEADER_EXPECT];

	return expect != NULL && strcasecmp(expect, "100-continue") == 0 && head_has_body(headers);
}

int
head_check_size(const struct server *server, const struct route *route, uint64_t bytes, struct err *e)
{
	const bool is_file = route->body == BODY_FILE;
	const uint64_t max = is_file ? server->max_import_bytes : server->max_body_bytes;

	if (bytes <= max)
		return 0;
	return err_fail(e, ERR_BODY_TOO_LARGE, "the body is larger than %" PRIu64 " bytes (%s)", max,
	    is_file ? "--max-import" : "--max-body");
}

static int
refuse_size(const char *target, struct err *e)
{
	if (strlen(target) > HEAD_BYTES_MAX / 2)
		return err_fail(e, ERR_TARGET_TOO_LONG,
		    "the request's target is too long: request line and headers may have %zu bytes together; send long "
		    "options in the body",
		    HEAD_BYTES_MAX);
	return err_fail(e, ERR_HEAD_TOO_LARGE,
	    "the request's head is too large: request line and headers may have %zu bytes together, in at most %u "
	    "headers; trailers and the extensions of a chunk may have %zu bytes",
	    HEAD_BYTES_MAX, HEAD_FIELDS_MAX, ASIDE_BYTES_MAX);
}

int
head_check_scan(const struct intake *in, const char *target, struct err *e)
{
	if (!intake_is_broken(in))
		return 0;
	if (in->scan.fault == SCAN_TOO_LARGE)
		return refuse_size(target, e);
	if (in->scan.fault == SCAN_VERSION_UNKNOWN)
		return err_fail(e, ERR_HTTP_VERSION, "the request's version is not HTTP/1.1 or HTTP/1.0");
	return err_fail(e, ERR_BAD_PARAMETER, "%s", in->scan.problem);
}

int
head_check_room(struct intake *in, struct MHD_Connection *mhd, const char *target, struct err *e)
{
	return intake_has_room(in, mhd) ? 0 : refuse_size(target, e);
}

/* Bytes after a CONNECT would be another protocol's. */
static int
refuse_connect(struct sending *s, struct err *e)
{
	s->close = s->at_once = true;
	buf_text(&s->allow, ROUTES_METHODS);
	return err_fail(e, ERR_METHOD_NOT_ALLOWED, "normd is not a proxy: it does not support CONNECT");
}

/* Checks host and origin. The target's host wins over the header's (RFC 9112, section 3.2.2). */
static int
check_origin(const struct head *h, const struct url_target *target, struct sending *s, struct err *e)
{
	const char *text = target->authority != NULL ? target->authority : h->headers.value[HEADER_HOST];
	size_t len = target->authority != NULL ? target->authority_len : text != NULL ? strlen(text) : 0;
	struct authority host = { .host = "" };

	if (target->authority == NULL && text != NULL && h->headers.value[HEADER_ORIGIN] == NULL &&
	    authority_is_usual_loopback(text))
		return 0;
	if (text != NULL && authority_parse(text, len, &host) < 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the request's host is \"%.*s\"; it must be a name or an address, optionally with a port",
		    (int)(len < 100 ? len : 100), text);
	if (origins_check(&h->server->origins, &host, h->headers.value[HEADER_ORIGIN], &s->grant, e) < 0)
		return -1;
	s->grant.preflight = s->grant.origin != NULL && strcmp(h->method, MHD_HTTP_METHOD_OPTIONS) == 0 &&
	    h->headers.value[HEADER_PREFLIGHT_METHOD] != NULL;
	return 0;
}

static int
find_route(const struct head *h, const char *path, struct request *rq, struct sending *s, struct err *e)
{
	struct url url;
	char near[SUGGEST_BYTES];

	if (strcmp(path, "*") == 0)
		return routes_find_any(rq, h->method, &s->allow, e);
	if (url_parse(&rq->workspace.arena, path, &url, e) < 0)
		return -1;
	if (url.segment_count <= URL_SEGMENTS_MAX &&
	    routes_find(rq, h->method, url.segments, url.segment_count, &s->allow, e) == 0)
		return rq->route->any_query ? 0 : url_parse_query(&url, rq->query, &rq->query_count, e);
	if (url.segment_count <= URL_SEGMENTS_MAX && e->code != ERR_NO_SUCH_ROUTE)
		return -1;
	return err_fail(e, ERR_NO_SUCH_ROUTE, "there is no route \"%.*s\"%s", (int)strcspn(path, "?"), path,
	    url.segment_count <= URL_SEGMENTS_MAX ? routes_near(url.segments, url.segment_count, near) : "");
}

/* Finds the route, if it is open to the caller. Who is refused does not learn the path's methods. */
static int
find_open_route(const struct head *h, const char *path, struct request *rq, struct sending *s, struct err *e)
{
	const int found = find_route(h, path, rq, s, e);

	if (access_check_rate(&h->connection->seen, rq, h->server->requests_per_second_max, e) == 0 &&
	    access_check(h->server->access, rq, found, e) == 0)
		return 0;
	if (access_refused(e)) {
		s->close = h->connection->welcome != CONNECTION_WELCOME;
		s->allow.len = 0;
	}
	return -1;
}

/* What is the operator's costs too much to be begun by an image in any page. */
static int
check_site(const struct head *h, const struct request *rq, struct err *e)
{
	if (rq->route->access != ACCESS_SERVER)
		return 0;
	return origins_check_site(
	    &h->server->origins, h->headers.value[HEADER_ORIGIN], h->headers.value[HEADER_FETCH_SITE], e);
}

/*
 * Refuses a request where there are too many connections, of all clients or of its address, but no probe: a busy server
 * must not be restarted.
 */
static int
check_crowd(const struct head *h, const struct request *rq, struct sending *s, struct err *e)
{
	if (h->connection->welcome == CONNECTION_WELCOME)
		return 0;
	s->close = true;
	if (rq->route->probe)
		return 0;
	if (h->connection->welcome == CONNECTION_BEYOND_ALL)
		err_set(e, ERR_OVERLOADED, "there are too many connections");
	else
		err_set(e, ERR_TOO_MANY_REQUESTS,
		    "the client's address has too many connections: close some, or use fewer for more requests each");
	err_set_shed(
	    e, h->connection->welcome == CONNECTION_BEYOND_ALL ? METRIC_SHED_CONNECTIONS : METRIC_SHED_ADDRESS);
	return -1;
}

static int
refuse_type(const char *type, const char *accepted, struct err *e)
{
	return err_fail(
	    e, ERR_UNSUPPORTED_MEDIA_TYPE, "the body's Content-Type is %.80s; this call accepts %s", type, accepted);
}

/* Finds the body's form by its Content-Type, or refuses that. */
static int
check_body_type(struct request *rq, const char *type, struct err *e)
{
	const unsigned taken = form_carrying(rq->route->tensors_in);
	char list[FORM_LIST_BYTES];

	if (rq->route->body == BODY_FILE)
		return negotiate_file(type) == 0 ?
		    0 :
		    refuse_type(type, MEDIA_TYPE_BYTES " and application/vnd.safetensors", e);
	if (rq->route->body == BODY_OIP || rq->route->bytes_are_json)
		return negotiate_oip(type) == 0 ? 0 : refuse_type(type, "application/json and " MEDIA_TYPE_BYTES, e);
	if (negotiate_form(type, &rq->form) == 0 && form_in(taken, rq->form))
		return 0;
	return refuse_type(type, form_list(taken, list), e);
}

/* The body's length is not known where it has a coding, which the header does not count, and where it is chunked. */
static int
check_oip_header(const struct head *h, struct request *rq, struct err *e)
{
	const bool exact = rq->announced_bytes > 0 && rq->coding == CODING_IDENTITY;
	const struct oip_body body = { exact ? rq->announced_bytes : h->server->max_body_bytes, exact };

	return oip_header_parse(h->headers.value[HEADER_OIP], &body, &rq->oip_header_bytes, e);
}

static int
check_body_headers(const struct head *h, struct request *rq, struct err *e)
{
	const char *encoding = h->headers.value[HEADER_CONTENT_ENCODING];

	rq->announced_bytes = head_announced_length(&h->headers);
	if (head_check_size(h->server, rq->route, rq->announced_bytes, e) < 0)
		return -1;
	if (rq->route->body == BODY_NONE)
		return 0;
	if (check_body_type(rq, h->headers.value[HEADER_CONTENT_TYPE], e) < 0)
		return -1;
	if (negotiate_coding(encoding, &rq->coding) < 0)
		return err_fail(e, ERR_UNSUPPORTED_MEDIA_TYPE,
		    "the body's Content-Encoding is %.80s; it must be gzip or deflate", encoding);
	return rq->route->body == BODY_OIP ? check_oip_header(h, rq, e) : 0;
}

/* Which part of a byte stream the client asks for. With a Range or an If-Range that is given twice: for all of it. */
static void
read_range_wishes(const struct head *h, struct range_wishes *out)
{
	const bool is_get = strcmp(h->method, MHD_HTTP_METHOD_GET) == 0;

	if (is_get && h->headers.count[HEADER_RANGE] == 1 && h->headers.count[HEADER_IF_RANGE] <= 1)
		out->range = h->headers.value[HEADER_RANGE];
	out->if_range = h->headers.value[HEADER_IF_RANGE];
	out->if_none_match = h->headers.value[HEADER_IF_NONE_MATCH];
}

/* A byte stream is sent as it is, in the type that it has. */
static int
check_stream_wishes(const struct head *h, const struct request *rq, struct range_wishes *range, struct err *e)
{
	const char *type = rq->route->stream_type;
	enum coding coding;
	bool must;

	if (negotiate_answer_type(h->headers.value[HEADER_ACCEPT], type) < 0)
		return err_fail(e, ERR_NOT_ACCEPTABLE, "this call answers with %s; Accept must allow it", type);
	if (negotiate_answer_coding(h->headers.value[HEADER_ACCEPT_ENCODING], &coding, &must) < 0 || must)
		return err_fail(e, ERR_NOT_ACCEPTABLE, "this call's answer is sent without a coding");
	read_range_wishes(h, range);
	return 0;
}

/* A text has one type, which parameters may follow. */
static int
check_text_type(const char *accept, const char *text_type, struct err *e)
{
	char type[64];

	snprintf(type, sizeof(type), "%.*s", (int)strcspn(text_type, ";"), text_type);
	if (negotiate_answer_type(accept, type) == 0)
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE, "this call answers with %s; Accept must allow it", type);
}

/* A call of the Open Inference Protocol says in its body in which of two types it wants the answer. */
static int
check_oip_accept(const char *accept, struct err *e)
{
	enum form form; /* not the answer's */

	if (negotiate_answer_form(accept, 1u << FORM_JSON, FORM_JSON, &form) == 0 ||
	    negotiate_answer_type(accept, MEDIA_TYPE_BYTES) == 0)
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE,
	    "this call answers with application/json or " MEDIA_TYPE_BYTES "; Accept must allow one of them");
}

/* The answer's form, after the body's is known, which is the default. */
static int
choose_form(const char *accept, struct request *rq, struct err *e)
{
	const unsigned given = form_carrying(rq->route->tensors_out);
	char list[FORM_LIST_BYTES];

	if (rq->route->text_type != NULL)
		return check_text_type(accept, rq->route->text_type, e);
	if (rq->route->body == BODY_OIP) {
		rq->reply.form = FORM_OIP;
		return check_oip_accept(accept, e);
	}
	if (negotiate_answer_form(accept, given, rq->form, &rq->reply.form) == 0)
		return 0;
	return err_fail(
	    e, ERR_NOT_ACCEPTABLE, "this call answers with %s; Accept must allow it", form_list(given, list));
}

/* A file of the pages is sent in the type that it has, compressed by the build or not at all. */
static int
check_web_wishes(const struct head *h, struct request *rq, struct answer_wishes *wishes, struct err *e)
{
	enum coding coding;
	bool must;

	if (negotiate_answer_coding(h->headers.value[HEADER_ACCEPT_ENCODING], &coding, &must) < 0 ||
	    (must && coding != CODING_GZIP))
		return err_fail(e, ERR_NOT_ACCEPTABLE, "a page is sent without a coding, or with gzip");
	rq->web_wish = coding == CODING_GZIP ? WEB_GZIP : WEB_PLAIN;
	wishes->range.if_none_match = h->headers.value[HEADER_IF_NONE_MATCH];
	return 0;
}

static bool
wants_page(const struct head *h, const struct request *rq)
{
	return rq->web != NULL &&
	    (rq->route->web == WEB_ROUTE_PAGE ||
		(rq->route->web == WEB_ROUTE_PAGE_OR_JSON && negotiate_prefers_page(h->headers.value[HEADER_ACCEPT])));
}

/* What the client accepts. */
static int
check_wishes(const struct head *h, struct request *rq, struct answer_wishes *wishes, struct err *e)
{
	if (wants_page(h, rq))
		return check_web_wishes(h, rq, wishes, e);
	if (rq->route->stream_type != NULL)
		return check_stream_wishes(h, rq, &wishes->range, e);
	if (choose_form(h->headers.value[HEADER_ACCEPT], rq, e) < 0)
		return -1;
	if (negotiate_answer_coding(h->headers.value[HEADER_ACCEPT_ENCODING], &wishes->coding, &wishes->coding_must) <
	    0)
		return err_fail(e, ERR_NOT_ACCEPTABLE, "an answer is sent without a coding, or with gzip or deflate");
	return 0;
}

int
head_read(const struct head *h, struct request *rq, struct sending *s, struct err *e)
{
	struct url_target target;

	rq->caller = access_identify(h->server->access, &h->connection->seen, &h->headers);
	if (e->code != ERR_NONE)
		return -1;
	if (strcmp(h->method, MHD_HTTP_METHOD_CONNECT) == 0)
		return refuse_connect(s, e);
	if (atomic_load(&h->server->phase) == SERVER_DRAINS) {
		s->close = true;
		return err_fail_shutting_down(e);
	}
	if (url_split(h->target, &target, e) < 0 || check_origin(h, &target, s, e) < 0 ||
	    find_open_route(h, target.path, rq, s, e) < 0 || check_site(h, rq, e) < 0 || check_crowd(h, rq, s, e) < 0 ||
	    inputs_check_query(rq, e) < 0)
		return -1;
	rq->if_match = h->headers.value[HEADER_IF_MATCH];
	if (precondition_least(rq, h->headers.value[HEADER_MIN_REVISION], e) < 0)
		return -1;
	if (check_body_headers(h, rq, e) < 0 || check_wishes(h, rq, &s->wishes, e) < 0 ||
	    request_admit(rq, strlen(h->target), e) < 0)
		return -1;
	/* Last: a request that is refused must not hold a key. */
	return idempotency_begin(rq, h->headers.value[HEADER_IDEMPOTENCY_KEY], e);
}
