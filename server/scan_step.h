/* SPDX-License-Identifier: MIT */
/* How the scan goes through the bytes. For scan.c and scan_head.c alone. */
#pragma once

#include <string.h>

#include "server/octets.h"
#include "server/scan.h"

/* The bytes that are scanned, and where libmicrohttpd gets them, which is before them. */
struct cursor {
	char *to, *from;
	const char *end;
};

/* Takes at least a byte, goes to another state, or gives up. There is at least one byte. */
typedef void scan_take(struct scan *s, struct cursor *c);

/* Of a head; they begin and end at SCAN_BEFORE, SCAN_BODY or SCAN_SIZE. */
scan_take scan_take_before, scan_take_before_lf, scan_take_method, scan_take_target_start, scan_take_target,
    scan_take_version, scan_take_line_lf, scan_take_field, scan_take_name, scan_take_value, scan_take_value_lf,
    scan_take_head_lf;

/* The request is refused. With SCAN_MALFORMED `problem` says why. */
void scan_give_up(struct scan *s, enum scan_fault fault, const char *problem);

/* Goes to the next request. */
void scan_end_request(struct scan *s);

/* Goes to the next chunk's size. */
void scan_begin_size(struct scan *s);

static inline size_t
scan_ahead(const struct cursor *c)
{
	return (size_t)(c->end - c->from);
}

static inline void
scan_drop(struct scan *s, struct cursor *c, size_t n)
{
	c->from += n;
	s->counted += n;
}

static inline void
scan_keep(struct scan *s, struct cursor *c, size_t n)
{
	if (c->to != c->from)
		memmove(c->to, c->from, n);
	c->to += n;
	scan_drop(s, c, n);
}

/* Gives up, and returns false, unless this byte is next. */
static inline bool
scan_expect(struct scan *s, const struct cursor *c, char byte, const char *problem)
{
	if (*c->from == byte)
		return true;
	scan_give_up(s, SCAN_MALFORMED, problem);
	return false;
}

/* How many bytes come before the next control character other than a tab. */
static inline size_t
scan_text_length(const char *bytes, size_t len)
{
	size_t n = 0;

	if (!octets_have_bad(bytes, len, ' ', false))
		return len;
	while (n < len && ((unsigned char)bytes[n] >= ' ' || bytes[n] == '\t') && bytes[n] != 0x7f)
		n++;
	return n;
}
