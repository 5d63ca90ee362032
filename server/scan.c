/* SPDX-License-Identifier: MIT */
#include "server/scan.h"

#include <string.h>
#include <strings.h>

#include "server/guard.h"
#include "server/octets.h"

/* Larger chunks are not served. */
#define SIZE_DIGITS_MAX 16

/* A line without its CR LF: as received where it came whole, else what is kept of it. */
struct line {
	const char *text;
	size_t kept, len;
};

static void
give_up(struct scan *s, const char *problem)
{
	s->broken = s->request + (s->state == SCAN_BEFORE);
	s->problem = problem;
}

/* What is wrong depends on where the line stands. */
static void
give_up_line(struct scan *s, const char *of_head)
{
	const bool in_head = s->state == SCAN_BEFORE || s->state == SCAN_HEAD;

	give_up(s,
	    in_head ? of_head :
		      "the body is not made of chunks: a size, an extension or a trailer is malformed, or does not end "
		      "in CR LF");
}

/* The value of the header in the line, without blanks around it, where the header has this name; else NULL. */
static const char *
value_of(const struct line *l, const char *name, size_t name_len, size_t *len)
{
	const char *p, *end = l->text + l->kept;

	if (l->kept <= name_len || l->text[name_len] != ':' || strncasecmp(l->text, name, name_len) != 0)
		return NULL;
	p = l->text + name_len + 1;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	*len = octets_trim(p, (size_t)(end - p));
	return p;
}

static void
take_length(struct scan *s, const char *text, size_t len)
{
	s->length = 0;
	for (size_t i = 0; i < len && s->broken == 0; i++) {
		if (text[i] < '0' || text[i] > '9')
			len = 0;
		else if (s->length < UINT64_MAX / 16)
			s->length = s->length * 10 + (uint64_t)(text[i] - '0');
	}
	if (len == 0)
		give_up(s, "Content-Length is not a whole number in decimal digits");
}

static void
take_encoding(struct scan *s, const char *text, size_t len)
{
	static const char chunked[] = "chunked";

	s->chunked = true;
	if (len != sizeof(chunked) - 1 || strncasecmp(text, chunked, len) != 0)
		give_up(s, "the only supported Transfer-Encoding is chunked");
}

/* The two headers that say where a body ends. That there is one of them at most is checked by guard_head. */
static void
take_header(struct scan *s, const struct line *l)
{
	static const char length_name[] = "Content-Length", encoding_name[] = "Transfer-Encoding";
	const char first = (char)(l->text[0] | 0x20), *value;
	size_t len;
	bool is_length;

	if (first != 'c' && first != 't') /* most headers */
		return;
	value = value_of(l, length_name, sizeof(length_name) - 1, &len);
	is_length = value != NULL;
	if (!is_length)
		value = value_of(l, encoding_name, sizeof(encoding_name) - 1, &len);
	if (value == NULL)
		return;
	if (l->len >= SCAN_LINE_BYTES)
		give_up(s, "Content-Length or Transfer-Encoding is longer than any that is served");
	else if (is_length)
		take_length(s, value, len);
	else
		take_encoding(s, value, len);
}

/* Whether an extension stands behind the ';' at `at`, as far as is kept of the line. */
static bool
has_extension(const struct line *l, size_t at)
{
	for (at++; at < l->kept && (l->text[at] == ' ' || l->text[at] == '\t');)
		at++;
	return at < l->kept ? l->text[at] != ';' && l->text[at] != '=' : l->kept < l->len;
}

/* "1f" or "1f;extension". */
static void
take_chunk_size(struct scan *s, const struct line *l)
{
	size_t i = 0, significant = 0;

	s->left = 0;
	for (; i < l->kept && octets_hex(l->text[i]) >= 0; i++) {
		s->left = s->left << 4 | (uint64_t)octets_hex(l->text[i]);
		significant += significant > 0 || l->text[i] != '0';
	}
	if (i == 0 || significant > SIZE_DIGITS_MAX ||
	    (i < l->len && (i == l->kept || l->text[i] != ';' || !has_extension(l, i))))
		give_up_line(s, NULL);
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
is_request_line(const struct line *l)
{
	const char *blank = memchr(l->text, ' ', l->kept);
	const size_t method = blank == NULL ? l->kept : (size_t)(blank - l->text);

	return (blank != NULL || l->len > l->kept) && guard_is_token(l->text, method) &&
	    memchr(l->text, '\0', l->kept) == NULL;
}

static void
begin_request(struct scan *s, const struct line *l)
{
	if (!is_request_line(l)) {
		give_up(s,
		    "the first line is not a request line: a method, a target and a version, with one space between "
		    "them");
		return;
	}
	s->request++;
	s->chunked = false;
	s->length = 0;
	s->state = SCAN_HEAD;
}

/* A line is complete; it ended in CR LF. */
static void
take_line(struct scan *s, const struct line *l)
{
	switch (s->state) {
	case SCAN_BEFORE:
		if (l->len > 0)
			begin_request(s, l);
		break;
	case SCAN_HEAD:
		if (l->len == 0)
			end_head(s);
		else
			take_header(s, l);
		break;
	case SCAN_CHUNK_SIZE:
		take_chunk_size(s, l);
		break;
	case SCAN_CHUNK_END:
		if (l->len > 0)
			give_up_line(s, NULL);
		s->state = SCAN_CHUNK_SIZE;
		break;
	default: /* a trailer */
		if (l->len == 0)
			s->state = SCAN_BEFORE;
	}
}

/* Whether one of the bytes is a control character other than a tab. */
static bool
has_control(const char *bytes, size_t len)
{
	if (!octets_have_bad(bytes, len, ' ', false))
		return false;
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
			return true;
	return false;
}

static const char bad_name[] =
    "a header's line is folded, or does not begin with a name, which is a token, and a colon";

/* Takes what there is of a header's or a trailer's name. False: the line does not begin with a name and a colon. */
static bool
take_name(struct scan *s, const char *bytes, size_t len)
{
	const size_t n = guard_token_length(bytes, len);

	s->named = n < len && bytes[n] == ':' && s->line_len + n > 0;
	return s->named || n == len;
}

/* Looks at bytes of a line, without its CR LF. False: it is not scanned any further. */
static bool
check_bytes(struct scan *s, const char *bytes, size_t len)
{
	if (s->state == SCAN_BEFORE) /* the guard sees the request line as a whole */
		return true;
	if ((s->state == SCAN_HEAD || s->state == SCAN_TRAILERS) && !s->named && !take_name(s, bytes, len)) {
		give_up_line(s, bad_name);
		return false;
	}
	if (!has_control(bytes, len))
		return true;
	give_up_line(s, "a header value contains a control character");
	return false;
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

/* The line ends with these `n` bytes, its CR LF among them. */
static void
end_line(struct scan *s, char *bytes, size_t n)
{
	const bool whole = s->line_len == n, hides = whole && s->state == SCAN_CHUNK_SIZE;
	const size_t len = s->line_len - 2;
	const struct line l = {
		.text = whole ? bytes : s->line, .len = len, .kept = len < SCAN_LINE_BYTES ? len : SCAN_LINE_BYTES
	};

	if ((s->state == SCAN_HEAD || s->state == SCAN_TRAILERS) && len > 0 && !s->named)
		give_up_line(s, bad_name);
	else
		take_line(s, &l);
	if (hides)
		hide_extension(bytes, len);
	s->line_len = 0;
	s->named = false;
	s->last = '\0';
}

/* Takes bytes up to the line's end, or all. Returns how many. */
static size_t
scan_line(struct scan *s, char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len), *text_end = end == NULL ? bytes + len : end;
	const size_t n = (size_t)(text_end - bytes) + (end != NULL);
	const bool after_cr = s->last == '\r', cr = text_end > bytes && text_end[-1] == '\r';
	const bool bare_cr = after_cr && *bytes != '\n' && s->state != SCAN_BEFORE;
	size_t room;

	if (bare_cr || (end != NULL && !cr && !(text_end == bytes && after_cr))) {
		give_up_line(s, "a line of the head does not end in CR LF");
		return n;
	}
	if (!check_bytes(s, bytes, (size_t)(text_end - bytes) - cr))
		return n;
	if (end == NULL || s->line_len > 0) {
		room = s->line_len < SCAN_LINE_BYTES ? SCAN_LINE_BYTES - s->line_len : 0;
		memcpy(s->line + (SCAN_LINE_BYTES - room), bytes, n < room ? n : room);
	}
	s->line_len += n;
	s->last = bytes[n - 1];
	if (end != NULL)
		end_line(s, bytes, n);
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
