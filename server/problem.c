/* SPDX-License-Identifier: MIT */
#include "server/problem.h"

#include <inttypes.h>

#include "base/quote.h"

static void
member(struct buf *b, const char *name, const char *text)
{
	if (*text == '\0')
		return;
	buf_printf(b, ",\"%s\":", name);
	quote_json(b, text);
}

void
problem_format(struct buf *b, const struct err *e, const char *request_id)
{
	const struct err_row *row = err_row(e->code);

	buf_printf(
	    b, "{\"type\":\"urn:normd:error:%s\",\"title\":\"%s\",\"status\":%u", row->code, row->title, row->status);
	member(b, "detail", e->detail);
	member(b, "code", row->code);
	if (e->has_offset)
		buf_printf(b, ",\"offset\":%" PRIu64, e->offset);
	member(b, "expected", e->expected);
	member(b, "actual", e->actual);
	member(b, "request_id", request_id);
	buf_byte(b, '}');
}

bool
problem_headers(const struct err *e, const char *request_id, problem_add *add, void *arg)
{
	char seconds[BUF_UINT_BYTES + 1];

	seconds[buf_format_uint(seconds, e->retry_after_s)] = '\0';
	return add(arg, "Content-Type", "application/problem+json") &&
	    (e->retry_after_s == 0 || add(arg, "Retry-After", seconds)) &&
	    (*request_id == '\0' || add(arg, "X-Request-Id", request_id));
}
