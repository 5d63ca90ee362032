/* SPDX-License-Identifier: MIT */
#include "server/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "server/url.h"

static void
member(struct buf *b, const char *name, const char *text)
{
	if (*text == '\0')
		return;
	buf_printf(b, ",\"%s\":", name);
	quote_json(b, text);
}

/* Triton's words for a model that it does not have: programs tell this error from others by them. */
#define UNKNOWN_MODEL "Request for unknown model: "

/* What the protocol's clients show; they break where it is missing. */
static void
oip_member(struct buf *b, const struct err *e, const struct err_row *row)
{
	char text[sizeof(UNKNOWN_MODEL) + sizeof(e->detail)];

	snprintf(text, sizeof(text), "%s%s", e->code == ERR_NO_SUCH_MODEL ? UNKNOWN_MODEL : "",
	    *e->detail != '\0' ? e->detail : row->title);
	member(b, "error", text);
}

/* Whether the first segment of the target's path, which may follow a scheme and a host, is "v2". */
static bool
is_oip(const char *target)
{
	struct url_target parts;
	struct err e;

	return target != NULL && url_split(target, &parts, &e) == 0 && strncmp(parts.path, "/v2", 3) == 0 &&
	    strchr("/?", parts.path[3]) != NULL;
}

void
problem_format(struct buf *b, const struct problem *p)
{
	const struct err *e = p->e;
	const struct err_row *row = err_row(e->code);

	buf_printf(
	    b, "{\"type\":\"urn:normd:error:%s\",\"title\":\"%s\",\"status\":%u", row->code, row->title, row->status);
	member(b, "detail", e->detail);
	member(b, "code", row->code);
	if (e->has_offset)
		buf_printf(b, ",\"offset\":%" PRIu64, e->offset);
	member(b, "expected", e->expected);
	member(b, "actual", e->actual);
	if (is_oip(p->target))
		oip_member(b, e, row);
	member(b, "request_id", p->request_id);
	buf_byte(b, '}');
}

bool
problem_headers(const struct problem *p, problem_add *add, void *arg)
{
	const uint64_t retry_after_s = p->e->retry_after_s;
	char seconds[BUF_UINT_BYTES + 1];

	seconds[buf_format_uint(seconds, retry_after_s)] = '\0';
	return add(arg, "Content-Type", "application/problem+json") && add(arg, "X-Content-Type-Options", "nosniff") &&
	    add(arg, "Cache-Control", "no-store") &&
	    (p->e->code != ERR_UNAUTHENTICATED || add(arg, "WWW-Authenticate", "Bearer")) &&
	    (retry_after_s == 0 || add(arg, "Retry-After", seconds)) &&
	    (*p->request_id == '\0' || add(arg, "X-Request-Id", p->request_id));
}
