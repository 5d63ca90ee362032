/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd 0.9.75 appends a folded line to the *name* of the header before it, takes a NUL for the end of a text,
 * and takes a line that begins with NUL or with a colon for the end of the head. None of that can be seen in the names
 * and values that it hands out. But it cuts the head up where it was received. So each byte of it must be accounted
 * for, from the method to the empty line:
 *
 *     method NUL target NUL version NUL NUL { name NUL blanks value NUL NUL } NUL NUL
 *
 * where NUL NUL stands for CR LF. What is left out (the rest of a line with a NUL, a folded line) makes a gap, and what
 * was moved is elsewhere.
 */
#include "server/guard.h"

#include <microhttpd.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "server/head.h"
#include "server/headers.h"
#include "server/intake.h"
#include "server/lookup.h"

struct framing {
	struct headers *headers;
	const char *place;   /* where the next name must lie; NULL: libmicrohttpd looks at the lines itself */
	const char *problem; /* the first thing that was wrong, or NULL */
};

/* A token's characters (RFC 9110, section 5.6.2). */
static const bool token_characters[256] = {
	['!'] = true,
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
	['a' ... 'z'] = true,
};

bool
guard_is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!token_characters[(unsigned char)text[i]])
			return false;
	return len > 0;
}

static bool
is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

/* Visible ASCII alone (RFC 3986); which of it has a meaning where is url.c's. */
static const char *
check_target(const char *target)
{
	for (const char *p = target; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return "the request's target holds a blank, a control character or a byte beyond ASCII: "
			       "percent-encode "
			       "it";
	return NULL;
}

static bool
ends_here(const char *p)
{
	return p[0] == '\0' && p[1] == '\0';
}

/*
 * Where the line after this header's begins; NULL where name, blanks, value and CR LF do not lie side by side at
 * `place`.
 */
static const char *
next_place(const char *place, const char *name, size_t name_len, const char *value, size_t value_len)
{
	const char *p = name + name_len;

	if (name != place || *p++ != '\0')
		return NULL;
	while (p < value && (*p == ' ' || *p == '\t'))
		p++;
	return p == value && ends_here(value + value_len) ? value + value_len + 2 : NULL;
}

/*
 * Takes blanks off a value's end, where libmicrohttpd has left them, for all who read it from now on. It lies in the
 * connection's memory, of which nobody else reads.
 */
static size_t
trim(const char *value, size_t len)
{
	const size_t trimmed = lookup_trim(value, len);

	if (trimmed < len)
		((char *)(uintptr_t)value)[trimmed] = '\0';
	return trimmed;
}

static void
check_value(struct framing *f, enum header header, const char *value, size_t len)
{
	if (header == HEADER_CONTENT_LENGTH && !lookup_is_length(value, len))
		f->problem = "Content-Length is not a whole number in decimal digits";
	else if (header == HEADER_TRANSFER_ENCODING && strcasecmp(value, "chunked") != 0)
		f->problem = "the only Transfer-Encoding that is taken is chunked";
}

static void
check_line(struct framing *f, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (f->place != NULL && (f->place = next_place(f->place, name, name_len, value, value_len)) == NULL)
		f->problem = "a header's line is folded, holds a NUL, or does not end in CR LF";
	else if (!guard_is_token(name, name_len))
		f->problem = "a header's name is not a token";
	else if (!is_value(value, value_len))
		f->problem = "a header's value holds a control character";
}

/* Goes through all headers, also behind a problem: its answer carries the request's id. */
static enum MHD_Result
look(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value, size_t value_len)
{
	struct framing *f = arg;
	enum header header;

	(void)kind;
	if (value == NULL)
		value = "";
	if (f->problem == NULL)
		check_line(f, name, name_len, value, value_len);
	value_len = trim(value, value_len);
	header = headers_add(f->headers, name, name_len, value);
	if (f->problem == NULL)
		check_value(f, header, value, value_len);
	return MHD_YES;
}

int
guard_strictness(void)
{
	return MHD_get_version()[0] != '0';
}

/* Where the first header must lie; NULL where the request line's pieces do not lie side by side. */
static const char *
first_place(const struct head *h)
{
	const char *end = h->version + strlen(h->version);

	return h->url == h->method + strlen(h->method) + 1 && h->version == h->url + strlen(h->target) + 1 &&
		ends_here(end) ?
	    end + 2 :
	    NULL;
}

/* Whether `place`, where the last header's line ended, has the empty line, and nothing else is left of the head. */
static bool
ends_head(const struct head *h, const char *place)
{
	return h->size > 0 && ends_here(place) && place + 2 == h->method + h->size;
}

/* Headers of which one party would read the first, and another the last. */
static const struct {
	enum header header;
	const char *problem; /* where there are two */
} single[] = {
	{ HEADER_ORIGIN, "there is more than one Origin" },
	{ HEADER_IDEMPOTENCY_KEY, "there is more than one Idempotency-Key" },
	{ HEADER_CONTENT_LENGTH, "there is more than one Content-Length" },
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
		return "Transfer-Encoding stands twice, beside Content-Length, or on HTTP/1.0";
	return NULL;
}

int
guard_head(const struct head *h, struct headers *headers, struct err *e)
{
	struct framing f = { .headers = headers, .problem = intake_problem(h->intake) };
	const bool looks_at_lines = guard_strictness() == 0 && f.problem == NULL;

	if (looks_at_lines && (f.place = first_place(h)) == NULL)
		f.problem = "the request line must be a method, a target and a version, with one blank between them, "
			    "and end in CR LF";
	else if (f.problem == NULL && !guard_is_token(h->method, strlen(h->method)))
		f.problem = "the request's method is not a token";
	else if (f.problem == NULL)
		f.problem = check_target(h->target);
	MHD_get_connection_values_n(h->mhd, MHD_HEADER_KIND, look, &f);
	if (f.problem == NULL && looks_at_lines && !ends_head(h, f.place))
		f.problem = "a line of the head has no name, is folded, begins with NUL, or does not end in CR LF";
	if (f.problem == NULL) /* any minor version from 1 is read as 1.1 (RFC 9110, section 2.5) */
		f.problem = check_counts(headers->count, strcmp(h->version, MHD_HTTP_VERSION_1_0) != 0);
	return f.problem == NULL ? 0 : err_fail(e, ERR_BAD_PARAMETER, "%s", f.problem);
}
