/* SPDX-License-Identifier: MIT */
#include "server/guard.h"

#include <microhttpd.h>
#include <stdint.h>
#include <string.h>

#include "server/connections.h"
#include "server/head.h"
#include "server/headers.h"
#include "server/intake.h"
#include "server/octets.h"

/* A token's characters (RFC 9110, section 5.6.2). */
static const bool token_characters[256] = { ['!'] = true,
	['#'] = true,
	['$'] = true,
	['%'] = true,
	['&'] = true,
	['\''] = true,
	['*'] = true,
	['+'] = true,
	['-'] = true,
	['.'] = true,
	['^'] = true,
	['_'] = true,
	['`'] = true,
	['|'] = true,
	['~'] = true,
	['0' ... '9'] = true,
	['A' ... 'Z'] = true,
	['a' ... 'z'] = true };

size_t
guard_token_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && token_characters[(unsigned char)text[n]])
		n++;
	return n;
}

bool
guard_is_token(const char *text, size_t len)
{
	return len > 0 && guard_token_length(text, len) == len;
}

/* Visible ASCII alone (RFC 3986); which of it has a meaning where is url.c's. */
static const char *
check_target(const char *target)
{
	if (!octets_have_bad(target, strlen(target), ' ' + 1, true))
		return NULL;
	return "the request's target contains a space, a control character or a byte beyond ASCII: percent-encode it";
}

/* Takes a header without the blanks at its value's end, which libmicrohttpd 0.9.75 leaves there. */
static enum MHD_Result
collect(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value, size_t value_len)
{
	const size_t len = value == NULL ? 0 : octets_trim(value, value_len);

	(void)kind;
	if (len < value_len && value != NULL) /* in the connection's memory, which nobody else reads */
		((char *)(uintptr_t)value)[len] = '\0';
	headers_add(arg, name, name_len, value == NULL ? "" : value);
	return MHD_YES;
}

int
guard_strictness(void)
{
	return MHD_get_version()[0] != '0';
}

/*
 * Whether method, target and version lie side by side where they were received, with one space between them and CR LF
 * behind. Since 1.0 libmicrohttpd looks at that itself.
 */
static bool
is_line_whole(const struct head *h)
{
	const char *end = h->version + strlen(h->version);

	return h->url == h->method + strlen(h->method) + 1 && h->version == h->url + strlen(h->target) + 1 &&
	    end[0] == '\0' && end[1] == '\0';
}

static const char *
check_request_line(const struct head *h)
{
	if (guard_strictness() == 0 && !is_line_whole(h))
		return "the request line must be a method, a target and a version, with one space between them, and "
		       "end in CR LF";
	if (!guard_is_token(h->method, strlen(h->method)))
		return "the request's method is not a token";
	return check_target(h->target);
}

/* Headers of which one party would read the first, and another the last. */
static const struct {
	enum header header;
	const char *problem; /* where there are two */
} single[] = {
	{ HEADER_ORIGIN, "there is more than one Origin" },
	{ HEADER_IDEMPOTENCY_KEY, "there is more than one Idempotency-Key" },
	{ HEADER_CONTENT_LENGTH, "there is more than one Content-Length" },
	{ HEADER_OIP, "there is more than one " OIP_HEADER },
	{ HEADER_CONTENT_TYPE, "there is more than one Content-Type" },
	{ HEADER_CONTENT_ENCODING, "there is more than one Content-Encoding" },
};

static const char *
check_counts(const unsigned count[HEADER_COUNT], bool is_1_1)
{
	if (count[HEADER_HOST] > 1 || (is_1_1 && count[HEADER_HOST] == 0))
		return "there must be one Host header";
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (count[single[i].header] > 1)
			return single[i].problem;
	if (count[HEADER_TRANSFER_ENCODING] > 0 &&
	    (count[HEADER_TRANSFER_ENCODING] > 1 || count[HEADER_CONTENT_LENGTH] > 0 || !is_1_1))
		return "Transfer-Encoding is given twice, together with Content-Length, or with HTTP/1.0";
	return NULL;
}

int
guard_head(const struct head *h, struct headers *headers, struct err *e)
{
	const char *problem = intake_problem(&h->connection->stream.intake);

	if (problem == NULL)
		problem = check_request_line(h);
	/* Also behind a problem: its answer carries the request's id. */
	MHD_get_connection_values_n(h->mhd, MHD_HEADER_KIND, collect, headers);
	if (problem == NULL) /* any minor version from 1 is read as 1.1 (RFC 9110, section 2.5) */
		problem = check_counts(headers->count, strcmp(h->version, MHD_HTTP_VERSION_1_0) != 0);
	return problem == NULL ? 0 : err_fail(e, ERR_BAD_PARAMETER, "%s", problem);
}
