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

/* Headers of which one party would read the first, and another the last. */
static const struct {
	enum header header;
	const char *problem; /* where there are two */
} single[] = {
	{ HEADER_ORIGIN, "there is more than one Origin" },
	{ HEADER_IDEMPOTENCY_KEY, "there is more than one Idempotency-Key" },
	{ HEADER_OIP, "there is more than one " OIP_HEADER },
	{ HEADER_CONTENT_TYPE, "there is more than one Content-Type" },
	{ HEADER_CONTENT_ENCODING, "there is more than one Content-Encoding" },
};

static int
check_counts(const unsigned count[HEADER_COUNT], struct err *e)
{
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (count[single[i].header] > 1)
			return err_fail(e, ERR_BAD_PARAMETER, "%s", single[i].problem);
	return 0;
}

/*
 * To "Expect: 100-continue" on a request without a body libmicrohttpd 0.9.75 says 100 Continue, and then takes requests
 * that the client has sent already for the body.
 */
static void
hide_expectation(const struct headers *headers)
{
	if (headers->value[HEADER_EXPECT] != NULL && !head_has_body(headers))
		*(char *)(uintptr_t)headers->value[HEADER_EXPECT] = '\0';
}

int
guard_head(const struct head *h, struct headers *headers, struct err *e)
{
	/* Also of a head with a fault: its answer carries the request's id. */
	MHD_get_connection_values_n(h->mhd, MHD_HEADER_KIND, collect, headers);
	hide_expectation(headers);
	return head_check_scan(&h->connection->stream.intake, h->target, e) < 0 ? -1 : check_counts(headers->count, e);
}
