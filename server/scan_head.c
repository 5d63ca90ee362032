/* SPDX-License-Identifier: MIT */
/* Request lines and headers. */
#include <strings.h>

#include "server/guard.h"
#include "server/limits.h"
#include "server/scan_step.h"

static const char bad_line[] =
    "the request line must be a method, a target and a version, with one space between them, and end in CR LF";
static const char bad_target[] =
    "the request's target contains a space, a control character or a byte beyond ASCII: percent-encode it";
static const char bad_name[] =
    "a header's line is folded, or does not begin with a name, which is a token, and a colon";
static const char bad_hosts[] = "there must be one Host header";
static const char bad_framing[] = "Transfer-Encoding is given twice, together with Content-Length, or with HTTP/1.0";
static const char bad_line_end[] = "a line of the head does not end in CR LF";

static void
malformed(struct scan *s, const char *problem)
{
	scan_give_up(s, SCAN_MALFORMED, problem);
}

static void
begin_request(struct scan *s)
{
	s->request++;
	s->unknown_version = s->is_1_1 = false;
	s->has_host = s->has_length = s->has_encoding = false;
	s->fields = 0;
	s->length = 0;
}

void
scan_take_before(struct scan *s, struct cursor *c)
{
	if (*c->from == '\r') {
		s->state = SCAN_BEFORE_LF;
		scan_drop(s, c, 1);
		return;
	}
	if (!guard_is_token(c->from, 1)) {
		malformed(s, bad_line);
		return;
	}
	begin_request(s);
	s->state = SCAN_METHOD;
}

void
scan_take_before_lf(struct scan *s, struct cursor *c)
{
	if (*c->from == '\n') {
		s->state = SCAN_BEFORE;
		scan_drop(s, c, 1);
		return;
	}
	malformed(s, bad_line);
}

void
scan_take_method(struct scan *s, struct cursor *c)
{
	scan_keep(s, c, guard_token_length(c->from, scan_ahead(c)));
	if (c->from == c->end)
		return;
	if (!scan_expect(s, c, ' ', bad_line))
		return;
	s->state = SCAN_TARGET_START;
	scan_keep(s, c, 1);
}

void
scan_take_target_start(struct scan *s, struct cursor *c)
{
	if (*c->from == ' ' || *c->from == '\r' || *c->from == '\n')
		malformed(s, bad_line);
	else if (octets_have_bad(c->from, 1, ' ' + 1, true))
		malformed(s, bad_target);
	else
		s->state = SCAN_TARGET;
}

/* Visible ASCII alone (RFC 3986); which of it has a meaning where is url.c's. */
void
scan_take_target(struct scan *s, struct cursor *c)
{
	const char *blank = memchr(c->from, ' ', scan_ahead(c));
	const size_t len = blank == NULL ? scan_ahead(c) : (size_t)(blank - c->from);

	if (octets_have_bad(c->from, len, ' ' + 1, true)) {
		while (!octets_have_bad(c->from, 1, ' ' + 1, true))
			scan_keep(s, c, 1);
		malformed(s, *c->from == '\r' || *c->from == '\n' ? bad_line : bad_target);
		return;
	}
	scan_keep(s, c, len);
	if (blank == NULL)
		return;
	s->state = SCAN_VERSION;
	s->at = 0;
	scan_keep(s, c, 1);
}

/* Takes the next character of the version. Any minor version from 1 is read as 1.1 (RFC 9110, section 2.5). */
static bool
is_version(struct scan *s, char *next)
{
	static const char pattern[] = "HTTP/1.1";

	if (s->at != 5 && s->at != 7)
		return *next == pattern[s->at];
	if (*next < '0' || *next > '9')
		return false;
	if (s->at == 7) {
		s->is_1_1 = *next != '0';
	} else if (*next != '1') {
		s->unknown_version = true;
		*next = '1';
	}
	return true;
}

void
scan_take_version(struct scan *s, struct cursor *c)
{
	static const char usual[] = "HTTP/1.1\r";
	size_t n = 0;

	if (s->at == 0 && scan_ahead(c) >= sizeof(usual) - 1 && memcmp(c->from, usual, sizeof(usual) - 1) == 0) {
		s->is_1_1 = true;
		s->state = SCAN_LINE_LF;
		scan_keep(s, c, sizeof(usual) - 1);
		return;
	}
	while (s->at < sizeof("HTTP/1.1") - 1 && n < scan_ahead(c) && is_version(s, c->from + n)) {
		s->at++;
		n++;
	}
	scan_keep(s, c, n);
	if (c->from == c->end)
		return;
	if (s->at < sizeof("HTTP/1.1") - 1 || *c->from != '\r') {
		malformed(s, bad_line);
		return;
	}
	s->state = SCAN_LINE_LF;
	scan_keep(s, c, 1);
}

void
scan_take_line_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_line))
		return;
	s->state = SCAN_FIELD;
	scan_keep(s, c, 1);
	if (s->unknown_version)
		scan_give_up(s, SCAN_VERSION_UNKNOWN, NULL);
}

/* By the length of the name: no two have the same. */
static const struct {
	const char *name;
	enum scan_header header;
} obeyed[] = {
	[sizeof("Host") - 1] = { "Host", SCAN_HOST },
	[sizeof("Cookie") - 1] = { "Cookie", SCAN_COOKIE },
	[sizeof("Content-Length") - 1] = { "Content-Length", SCAN_LENGTH },
	[sizeof("Transfer-Encoding") - 1] = { "Transfer-Encoding", SCAN_ENCODING },
};
_Static_assert(sizeof(obeyed) / sizeof(obeyed[0]) <= SCAN_NAME_BYTES, "a name fits");

static enum scan_header
header_named(const char *name, size_t len)
{
	const char *known = len < sizeof(obeyed) / sizeof(obeyed[0]) ? obeyed[len].name : NULL;

	if (known == NULL || ((known[0] ^ name[0]) & ~0x20) != 0 || strncasecmp(known, name, len) != 0)
		return SCAN_OTHER;
	return obeyed[len].header;
}

/* Adds to the part of the name that came earlier. What is longer than the buffer is no header of interest. */
static void
save_name(struct scan *s, const char *part, size_t len)
{
	const size_t room = s->name_len < SCAN_NAME_BYTES ? SCAN_NAME_BYTES - s->name_len : 0;

	memcpy(s->name + (SCAN_NAME_BYTES - room), part, len < room ? len : room);
	s->name_len += len;
}

/* The colon behind the name follows. What is wrong with such a header here; NULL: nothing. */
static const char *
begin_header(struct scan *s)
{
	const bool host = s->header == SCAN_HOST, length = s->header == SCAN_LENGTH,
		   encoding = s->header == SCAN_ENCODING;

	if (host && s->has_host)
		return bad_hosts;
	if (length && s->has_length)
		return "there is more than one Content-Length";
	if ((length && s->has_encoding) || (encoding && (s->has_encoding || s->has_length || !s->is_1_1)))
		return bad_framing;
	s->has_host = s->has_host || host;
	s->has_length = s->has_length || length;
	s->has_encoding = s->has_encoding || encoding;
	s->at = 0;
	s->ended = false;
	return NULL;
}

static bool
is_blank(char b)
{
	return b == ' ' || b == '\t';
}

/* The next character of Content-Length. */
static void
take_length(struct scan *s, struct cursor *c)
{
	const char digit = *c->from;

	if (digit < '0' || digit > '9' || s->ended) {
		malformed(s, "Content-Length is not a whole number in decimal digits");
	} else if (s->length >= 100000000000000000) { /* 18 digits */
		scan_drop(s, c, 1);
	} else {
		s->at++;
		s->length = s->length * 10 + (uint64_t)(digit - '0');
		scan_keep(s, c, 1);
	}
}

/* The next character of Transfer-Encoding. */
static void
take_encoding(struct scan *s, struct cursor *c)
{
	static const char chunked[] = "chunked";

	if (s->ended || (*c->from | 0x20) != chunked[s->at]) {
		malformed(s, "the only supported Transfer-Encoding is chunked");
		return;
	}
	s->at++;
	scan_keep(s, c, 1);
}

/* Characters of a framing header, up to the line's end. */
static void
take_framing(struct scan *s, struct cursor *c)
{
	const bool is_length = s->header == SCAN_LENGTH;

	while (c->from < c->end && s->broken == 0) {
		if (is_blank(*c->from) && s->at == 0) {
			scan_keep(s, c, 1);
		} else if (is_blank(*c->from)) {
			s->ended = true;
			scan_drop(s, c, 1);
		} else if (*c->from == '\r' && s->at >= (is_length ? 1 : sizeof("chunked") - 1)) {
			return;
		} else if (is_length) {
			take_length(s, c);
		} else {
			take_encoding(s, c);
		}
	}
}

/* Any other header's. */
static void
take_text(struct scan *s, struct cursor *c)
{
	const char *cr = memchr(c->from, '\r', scan_ahead(c));
	const size_t len = cr == NULL ? scan_ahead(c) : (size_t)(cr - c->from), good = scan_text_length(c->from, len);

	if (s->header == SCAN_COOKIE)
		memset(c->from, ' ', good);
	scan_keep(s, c, good);
	if (good < len)
		malformed(s, *c->from == '\n' ? bad_line_end : "a header value contains a control character");
}

void
scan_take_value(struct scan *s, struct cursor *c)
{
	if (s->header == SCAN_LENGTH || s->header == SCAN_ENCODING)
		take_framing(s, c);
	else
		take_text(s, c);
	if (c->from == c->end || s->broken != 0)
		return;
	if (scan_ahead(c) > 1 && c->from[1] == '\n') {
		s->state = SCAN_FIELD;
		scan_keep(s, c, 2);
	} else {
		s->state = SCAN_VALUE_LF;
		scan_keep(s, c, 1);
	}
}

void
scan_take_name(struct scan *s, struct cursor *c)
{
	const char *const part = c->from;
	const size_t len = guard_token_length(part, scan_ahead(c));
	const char *problem = NULL;

	if (len == 0 && s->name_len == 0) {
		s->state = SCAN_FIELD;
		malformed(s, bad_name);
		return;
	}
	if (len < scan_ahead(c) && s->name_len == 0)
		s->header = header_named(part, len);
	else
		save_name(s, part, len);
	scan_keep(s, c, len);
	if (c->from == c->end)
		return;
	if (s->name_len > 0)
		s->header = header_named(s->name, s->name_len);
	problem = *c->from != ':' ? bad_name : begin_header(s);
	if (problem != NULL) {
		malformed(s, problem);
		return;
	}
	s->state = SCAN_VALUE;
	scan_keep(s, c, 1);
	if (c->from < c->end)
		scan_take_value(s, c);
}

static void
begin_name(struct scan *s, struct cursor *c)
{
	if (++s->fields > HEAD_FIELDS_MAX) {
		scan_give_up(s, SCAN_TOO_LARGE, NULL);
		return;
	}
	s->state = SCAN_NAME;
	s->name_len = 0;
	scan_take_name(s, c);
}

void
scan_take_field(struct scan *s, struct cursor *c)
{
	while (s->state == SCAN_FIELD && c->from < c->end && *c->from != '\r' && s->broken == 0)
		begin_name(s, c);
	if (s->state != SCAN_FIELD || c->from == c->end || s->broken != 0)
		return;
	if (s->is_1_1 && !s->has_host) {
		malformed(s, bad_hosts);
	} else {
		s->state = SCAN_HEAD_LF;
		scan_keep(s, c, 1);
	}
}

void
scan_take_value_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_line_end))
		return;
	s->state = SCAN_FIELD;
	scan_keep(s, c, 1);
}

void
scan_take_head_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_line_end))
		return;
	scan_keep(s, c, 1);
	s->counted = 0;
	s->left = s->length;
	if (s->has_encoding)
		scan_begin_size(s);
	else if (s->left > 0)
		s->state = SCAN_BODY;
	else
		scan_end_request(s);
}
