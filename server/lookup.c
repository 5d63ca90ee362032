/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd 0.9.75 answers some malformed heads itself, before the handler is called, and sends the head of that
 * answer twice. It takes a blank after a value, which is legal, for a part of the value. With an unknown
 * Transfer-Encoding it waits for a body without end. It copies cookies, which normd does not use, until there is no
 * memory for the answer. So the headers of a malformed head (server/scan.h) are hidden from it: it finds no body, calls
 * the handler, and server/guard.c refuses the head. Other values are shown without blanks.
 *
 * To "Expect: 100-continue" on a request without a body it says 100 Continue, and then takes requests that the client
 * has sent already for the body. So Expect is shown only if there is a body.
 */
#include "server/lookup.h"

#include <dlfcn.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "server/intake.h"
#include "server/octets.h"

/* Shown for a number with more digits: no body is so large, and the handler refuses it by its own limit. */
static const char too_long[] = "999999999999999999";

typedef enum MHD_Result
lookup_function(struct MHD_Connection *, enum MHD_ValueKind, const char *, size_t, const char **, size_t *);

/* libmicrohttpd's own. Immutable once the program runs. */
static lookup_function *real_lookup;

/* lookup_is_called()'s. */
static bool called;

bool
lookup_is_called(void)
{
	called = false;
	(void)MHD_lookup_connection_value(NULL, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	return called;
}

__attribute__((constructor)) static void
find_real_one(void)
{
	void *found = dlsym(RTLD_NEXT, "MHD_lookup_connection_value_n");

	memcpy(&real_lookup, &found, sizeof(real_lookup));
}

static bool
show_length(const char **value, size_t *len)
{
	*len = octets_trim(*value, *len);
	while (*len > 1 && **value == '0') {
		++*value;
		--*len;
	}
	if (*len > sizeof(too_long) - 1) {
		*value = too_long;
		*len = sizeof(too_long) - 1;
	}
	return true;
}

static bool
show_encoding(const char **value, size_t *len)
{
	static const char chunked[] = "chunked"; /* the only one that the scan accepts */

	*len = sizeof(chunked) - 1;
	*value = chunked;
	return true;
}

static bool
show_expect(const char **value, size_t *len)
{
	static const char only[] = "100-continue";

	*len = octets_trim(*value, *len);
	if (*len != sizeof(only) - 1 || strncasecmp(*value, only, *len) != 0)
		return false;
	*value = only;
	return true;
}

static bool
show_nothing(const char **value, size_t *len)
{
	(void)value, (void)len;
	return false;
}

/* How headers are shown that libmicrohttpd obeys; it sees the others as they are. */
static const struct shown {
	const char *name;
	size_t len;
	bool (*show)(const char **value, size_t *len); /* false: as if there were none */
	bool with_body;                                /* only where a body comes */
} table[] = {
	{ "Content-Length", sizeof("Content-Length") - 1, show_length, false },
	{ "Transfer-Encoding", sizeof("Transfer-Encoding") - 1, show_encoding, false },
	{ "Expect", sizeof("Expect") - 1, show_expect, true },
	{ "Cookie", sizeof("Cookie") - 1, show_nothing, false },
};

static bool
has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length != NULL && strcmp(length, "0") != 0) ||
	    MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static bool
is_shown(struct MHD_Connection *connection, const struct shown *row, const char **value, size_t *len)
{
	return !intake_refuses(connection) && row->show(value, len) && (!row->with_body || has_body(connection));
}

enum MHD_Result
MHD_lookup_connection_value_n(struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char **value_ptr, size_t *value_size_ptr)
{
	const char *value = NULL;
	size_t len = 0;

	if (connection == NULL) {
		called = true;
		return MHD_NO;
	}
	if (real_lookup(connection, kind, key, key_size, &value, &len) != MHD_YES)
		return MHD_NO;
	if (value != NULL)
		len = strnlen(
		    value, len); /* blanks at its end may have been taken off since it was received (server/guard.c) */
	for (size_t i = 0; key != NULL && i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].len == key_size && strncasecmp(table[i].name, key, key_size) == 0 &&
		    !is_shown(connection, &table[i], &value, &len))
			return MHD_NO;
	if (value_ptr != NULL)
		*value_ptr = value;
	if (value_size_ptr != NULL)
		*value_size_ptr = len;
	return MHD_YES;
}
