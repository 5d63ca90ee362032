/* SPDX-License-Identifier: MIT */
#include "server/scan.h"

#include <string.h>
#include <strings.h>

#include "server/guard.h"

/* Beyond that a chunk's size is none that is served. */
#define SIZE_DIGITS_MAX 16

static void
give_up(struct scan *s)
{
	const bool in_head = s->state == SCAN_BEFORE || s->state == SCAN_HEAD;

	s->broken = s->request + (s->state == SCAN_BEFORE);
	s->problem = in_head ?
	    "a line of the head does not end in CR LF" :
	    "the body is not made of chunks: a size, an extension or a trailer is malformed, or does not end in CR LF";
}

/* The value of the header in the line, where it has this name; else NULL. */
static const char *
value_of(const struct scan *s, const char *name)
{
	size_t n = strlen(name);

	return s->line_len > n && strncasecmp(s->line, name, n) == 0 && s->line[n] == ':' ? s->line + n + 1 : NULL;
}

/* What is wrong in these headers, the guard sees (server/guard.h); here what is right must be understood. */
static void
take_header(struct scan *s)
{
	const char first = (char)(s->line[0] | 0x20), *length, *encoding;

	if (first != 'c' && first != 't') /* most headers */
		return;
	length = value_of(s, "Content-Length");
	encoding = value_of(s, "Transfer-Encoding");
	if (length == NULL && encoding == NULL)
		return;
	if (s->line_len >= SCAN_LINE_BYTES) {
		give_up(s);
		return;
	}
	s->line[s->line_len] = '\0';
	if (encoding != NULL) {
		encoding += strspn(encoding, " \t");
		s->chunked = strncasecmp(encoding, "chunked", strlen("chunked")) == 0;
		return;
	}
	for (length += strspn(length, " \t"); *length >= '0' && *length <= '9' && s->length < UINT64_MAX / 16; length++)
		s->length = s->length * 10 + (uint64_t)(*length - '0');
}

static int
hex(char c)
{
	const char lower = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Whether an extension stands behind the ';' at `at`, as far as is kept of the line. */
static bool
has_extension(const struct scan *s, size_t at, size_t len)
{
	for (at++; at < len && (s->line[at] == ' ' || s->line[at] == '\t');)
		at++;
	return at < len ? s->line[at] != ';' && s->line[at] != '=' : len == SCAN_LINE_BYTES;
}

/* "1f" or "1f;extension". */
static void
take_chunk_size(struct scan *s)
{
	const size_t len = s->line_len < SCAN_LINE_BYTES ? s->line_len : SCAN_LINE_BYTES;
	size_t i = 0, significant = 0;

	s->left = 0;
	for (; i < len && hex(s->line[i]) >= 0; i++) {
		s->left = s->left << 4 | (uint64_t)hex(s->line[i]);
		significant += significant > 0 || s->line[i] != '0';
	}
	if (i == 0 || significant > SIZE_DIGITS_MAX ||
	    (i < s->line_len && (i == len || s->line[i] != ';' || !has_extension(s, i, len))))
		give_up(s);
	s->state = s->left == 0 ? SCAN_TRAILERS : SCAN_CHUNK;
}

static void
end_head(struct scan *s)
{
	s->left = s->length;
	s->state = s->chunked ? SCAN_CHUNK_SIZE : s->left > 0 ? SCAN_BODY : SCAN_BEFORE;
}

/*
 * Whether the line is a request's, as far as is kept of it: it begins with a method and a blank, and has no NUL.
 * libmicrohttpd drops the connection for any other, or skips the line.
 */
static bool
is_request_line(const struct scan *s)
{
	const size_t len = s->line_len < SCAN_LINE_BYTES ? s->line_len : SCAN_LINE_BYTES;
	const char *blank = memchr(s->line, ' ', len);
	const size_t method = blank == NULL ? len : (size_t)(blank - s->line);

	return (blank != NULL || s->line_len > SCAN_LINE_BYTES) && guard_is_token(s->line, method) &&
	    memchr(s->line, '\0', len) == NULL;
}

static void
begin_request(struct scan *s)
{
	if (!is_request_line(s)) {
		give_up(s);
		s->problem = "the first line is not a request line: a method, a target and a version, with one blank "
			     "between them";
		return;
	}
	s->request++;
	s->chunked = false;
	s->length = 0;
	s->state = SCAN_HEAD;
}

/* Whether the line begins with a name and a colon, as far as is kept of it. */
static bool
has_name(const struct scan *s)
{
	const size_t len = s->line_len < SCAN_LINE_BYTES ? s->line_len : SCAN_LINE_BYTES;
	const char *colon = memchr(s->line, ':', len);

	return guard_is_token(s->line, colon == NULL ? len : (size_t)(colon - s->line)) &&
	    (colon != NULL || s->line_len > SCAN_LINE_BYTES);
}

static void
take_trailer(struct scan *s)
{
	if (s->line_len == 0)
		s->state = SCAN_BEFORE;
	else if (!has_name(s))
		give_up(s);
}

/* A line is complete; it ended in CR LF, which is not counted. */
static void
take_line(struct scan *s)
{
	switch (s->state) {
	case SCAN_BEFORE:
		if (s->line_len > 0)
			begin_request(s);
		break;
	case SCAN_HEAD:
		if (s->line_len == 0)
			end_head(s);
		else
			take_header(s);
		break;
	case SCAN_CHUNK_SIZE:
		take_chunk_size(s);
		break;
	case SCAN_CHUNK_END:
		if (s->line_len > 0)
			give_up(s);
		s->state = SCAN_CHUNK_SIZE;
		break;
	default:
		take_trailer(s);
	}
}

/* Among chunks nobody else looks: no control characters, and CR only before LF. In heads the guard does. */
static bool
is_clean(const struct scan *s, const char *bytes, size_t len)
{
	if (s->state == SCAN_BEFORE || s->state == SCAN_HEAD)
		return true;
	if (s->last == '\r' && len > 0 && *bytes != '\n')
		return false;
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f) && bytes[i] != '\t' && bytes[i] != '\n' &&
		    (bytes[i] != '\r' || (i + 1 < len && bytes[i + 1] != '\n')))
			return false;
	return true;
}

/* "1f;a=b" becomes "00001f". The line, without its end, has `len` bytes. */
static void
hide_extension(char *line, size_t len)
{
	const char *semicolon = memchr(line, ';', len);
	const size_t digits = semicolon == NULL ? len : (size_t)(semicolon - line);

	memmove(line + len - digits, line, digits);
	memset(line, '0', len - digits);
}

/* Takes bytes up to the line's end, or all. Returns how many. */
static size_t
scan_line(struct scan *s, char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);
	const size_t n = end == NULL ? len : (size_t)(end - bytes) + 1;
	const size_t room = s->line_len < SCAN_LINE_BYTES ? SCAN_LINE_BYTES - s->line_len : 0;
	const char before = n >= 2 ? bytes[n - 2] : s->last;

	memcpy(s->line + (SCAN_LINE_BYTES - room), bytes, n < room ? n : room);
	if (!is_clean(s, bytes, n) || (end != NULL && before != '\r')) {
		give_up(s);
		return n;
	}
	s->line_len += n;
	s->last = bytes[n - 1];
	if (end == NULL)
		return n;
	s->line_len -= 2;
	if (s->state == SCAN_CHUNK_SIZE && s->line_len + 2 == n)
		hide_extension(bytes, n - 2);
	take_line(s);
	s->line_len = 0;
	s->last = '\0';
	return n;
}

/* Takes bytes of a body or a chunk. Returns how many. */
static size_t
scan_data(struct scan *s, size_t len)
{
	const size_t n = s->left < len ? (size_t)s->left : len;

	s->left -= n;
	if (s->left == 0)
		s->state = s->state == SCAN_BODY ? SCAN_BEFORE : SCAN_CHUNK_END;
	return n;
}

void
scan_bytes(struct scan *s, char *bytes, size_t len)
{
	size_t n;

	for (; len > 0 && s->broken == 0; len -= n, bytes += n)
		n = s->state == SCAN_BODY || s->state == SCAN_CHUNK ? scan_data(s, len) : scan_line(s, bytes, len);
}
