/* SPDX-License-Identifier: MIT */
/* The scan as a whole, and bodies. */
#include "server/scan.h"

#include <stdio.h>

#include "server/guard.h"
#include "server/limits.h"
#include "server/scan_step.h"

/* Larger chunks are not served. */
#define SIZE_DIGITS_MAX 16

/* A chunk's size with CR LF. */
#define SIZE_LINE_BYTES ((size_t)SIZE_DIGITS_MAX + 2)

static const char bad_body[] =
    "the body is not made of chunks: a size, an extension or a trailer is malformed, or does not end in CR LF";

static void
malformed(struct scan *s)
{
	scan_give_up(s, SCAN_MALFORMED, bad_body);
}

void
scan_end_request(struct scan *s)
{
	s->state = SCAN_BEFORE;
	s->counted = 0;
}

void
scan_begin_size(struct scan *s)
{
	s->state = SCAN_SIZE;
	s->left = 0;
	s->digits = 0;
	s->sized = false;
}

/* Takes bytes of a body or a chunk. */
static void
take_data(struct scan *s, struct cursor *c)
{
	const size_t n = s->left < scan_ahead(c) ? (size_t)s->left : scan_ahead(c);

	scan_keep(s, c, n);
	s->counted = 0;
	s->left -= n;
	if (s->left > 0)
		return;
	if (s->state == SCAN_BODY)
		scan_end_request(s);
	else
		s->state = SCAN_CHUNK_CR;
}

static void
take_chunk_cr(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\r', bad_body))
		return;
	s->state = SCAN_CHUNK_LF;
	scan_keep(s, c, 1);
}

static void
take_chunk_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_body))
		return;
	scan_keep(s, c, 1);
	scan_begin_size(s);
}

/* "1f" or "1f;extension": nothing of it is delivered before its end. */
static void
take_size(struct scan *s, struct cursor *c)
{
	const int digit = octets_hex(*c->from);

	if (digit < 0 && !(s->sized && (*c->from == ';' || *c->from == '\r'))) {
		malformed(s);
		return;
	}
	if (digit >= 0) {
		s->sized = true;
		s->digits += s->digits > 0 || digit > 0;
		s->left = s->left << 4 | (uint64_t)digit;
	} else {
		s->state = *c->from == '\r' ? SCAN_SIZE_LF : SCAN_EXTENSION_START;
	}
	scan_drop(s, c, 1);
	if (s->digits > SIZE_DIGITS_MAX)
		malformed(s);
}

static void
take_extension_start(struct scan *s, struct cursor *c)
{
	const char b = *c->from;

	if (b == ' ' || b == '\t')
		scan_drop(s, c, 1);
	else if (b == ';' || b == '=' || b == '\r')
		malformed(s);
	else
		s->state = SCAN_EXTENSION;
}

/* Drops a text and the CR behind it, if that has come, after which `next` comes. */
static void
drop_text(struct scan *s, struct cursor *c, enum scan_state next)
{
	const char *cr = memchr(c->from, '\r', scan_ahead(c));
	const size_t len = cr == NULL ? scan_ahead(c) : (size_t)(cr - c->from), good = scan_text_length(c->from, len);

	scan_drop(s, c, good);
	if (good < len) {
		malformed(s);
	} else if (cr != NULL) {
		s->state = next;
		scan_drop(s, c, 1);
	}
}

static void
take_extension(struct scan *s, struct cursor *c)
{
	drop_text(s, c, SCAN_SIZE_LF);
}

/* Writes the size that is complete, with CR LF, to all the place before `end`. */
static void
write_size(uint64_t size, char *to, char *end)
{
	*--end = '\n';
	*--end = '\r';
	for (; end > to; size >>= 4)
		*--end = "0123456789abcdef"[size & 0xf];
}

static void
take_size_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_body))
		return;
	scan_drop(s, c, 1);
	write_size(s->left, c->to, c->from);
	c->to = c->from;
	s->state = s->left == 0 ? SCAN_TRAILER : SCAN_CHUNK;
	s->counted = 0;
	s->sized = false;
}

static void
take_trailer(struct scan *s, struct cursor *c)
{
	if (*c->from == '\r') {
		s->state = SCAN_END_LF;
		scan_keep(s, c, 1);
	} else if (guard_is_token(c->from, 1)) {
		s->state = SCAN_TRAILER_NAME;
	} else {
		malformed(s);
	}
}

static void
take_trailer_name(struct scan *s, struct cursor *c)
{
	scan_drop(s, c, guard_token_length(c->from, scan_ahead(c)));
	if (c->from == c->end)
		return;
	if (!scan_expect(s, c, ':', bad_body))
		return;
	s->state = SCAN_TRAILER_VALUE;
	scan_drop(s, c, 1);
}

static void
take_trailer_value(struct scan *s, struct cursor *c)
{
	drop_text(s, c, SCAN_TRAILER_LF);
}

static void
take_trailer_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_body))
		return;
	s->state = SCAN_TRAILER;
	scan_drop(s, c, 1);
}

static void
take_end_lf(struct scan *s, struct cursor *c)
{
	if (!scan_expect(s, c, '\n', bad_body))
		return;
	scan_keep(s, c, 1);
	scan_end_request(s);
}

/* Endings, each from where it is needed to its end. The host is there once, and only once. */
static const char line_ending[] = "- - HTTP/1.1\r\nHost:\r\n\r\n", field_ending[] = "-:\r\nHost:\r\n\r\n",
		  hosted_ending[] = "-:\r\n\r\n", body_ending[] = "\r\n0\r\n\r\n";

/* Immutable. */
static const struct {
	scan_take *take;
	const char *ending;
	size_t from;
} states[SCAN_STATES] = {
	[SCAN_BEFORE] = { scan_take_before, line_ending, 0 },
	[SCAN_BEFORE_LF] = { scan_take_before_lf, line_ending, 0 },
	[SCAN_METHOD] = { scan_take_method, line_ending, 1 },
	[SCAN_TARGET_START] = { scan_take_target_start, line_ending, 2 },
	[SCAN_TARGET] = { scan_take_target, line_ending, 3 },
	[SCAN_VERSION] = { scan_take_version, line_ending, 4 },
	[SCAN_LINE_LF] = { scan_take_line_lf, line_ending, 13 },
	[SCAN_FIELD] = { scan_take_field, field_ending, 4 },
	[SCAN_NAME] = { scan_take_name, field_ending, 0 },
	[SCAN_VALUE] = { scan_take_value, field_ending, 2 },
	[SCAN_VALUE_LF] = { scan_take_value_lf, field_ending, 3 },
	[SCAN_HEAD_LF] = { scan_take_head_lf, field_ending, 5 },
	[SCAN_BODY] = { take_data, NULL, 0 },
	[SCAN_CHUNK] = { take_data, NULL, 0 },
	[SCAN_CHUNK_CR] = { take_chunk_cr, body_ending, 0 },
	[SCAN_CHUNK_LF] = { take_chunk_lf, body_ending, 1 },
	[SCAN_SIZE] = { take_size, body_ending, 2 },
	[SCAN_EXTENSION_START] = { take_extension_start, body_ending, 2 },
	[SCAN_EXTENSION] = { take_extension, body_ending, 2 },
	[SCAN_SIZE_LF] = { take_size_lf, body_ending, 2 },
	[SCAN_TRAILER] = { take_trailer, body_ending, 5 },
	[SCAN_TRAILER_NAME] = { take_trailer_name, body_ending, 5 },
	[SCAN_TRAILER_VALUE] = { take_trailer_value, body_ending, 5 },
	[SCAN_TRAILER_LF] = { take_trailer_lf, body_ending, 5 },
	[SCAN_END_LF] = { take_end_lf, body_ending, 6 },
};

/* What is missing of a framing header's value: an empty one would be refused, and an unknown coding too. */
static const char *
missing_value(const struct scan *s)
{
	static const char chunked[] = "chunked";

	if (s->state != SCAN_VALUE)
		return "";
	if (s->header == SCAN_LENGTH)
		return s->at == 0 ? "0" : "";
	return s->header == SCAN_ENCODING ? chunked + s->at : "";
}

void
scan_give_up(struct scan *s, enum scan_fault fault, const char *problem)
{
	const size_t skip = states[s->state].from + (s->state == SCAN_VERSION ? s->at : 0);
	const char *ending = states[s->state].ending;

	if (ending == field_ending && (s->has_host || !s->is_1_1))
		ending = hosted_ending;
	s->request += s->state < SCAN_METHOD;
	s->broken = s->request;
	s->fault = fault;
	s->problem = problem;
	s->ending_len = (size_t)snprintf(s->ending, sizeof(s->ending), "%s%s", missing_value(s), ending + skip);
}

size_t
scan_gap(const struct scan *s)
{
	return s->sized ? SIZE_LINE_BYTES : 0;
}

static bool
in_data(const struct scan *s)
{
	return s->state == SCAN_BODY || s->state == SCAN_CHUNK;
}

static size_t
countable(const struct scan *s)
{
	const size_t max = s->state < SCAN_BODY ? HEAD_BYTES_MAX : ASIDE_BYTES_MAX + sizeof("\r\n") - 1;

	return max - s->counted;
}

size_t
scan_end(struct scan *s, char *bytes, size_t room)
{
	const size_t left = s->ending_len - s->ending_at, n = left < room ? left : room;

	memcpy(bytes, s->ending + s->ending_at, n);
	s->ending_at += n;
	return n;
}

/* The bytes that count are taken up to their limit. */
static void
step(struct scan *s, struct cursor *c, const char *end)
{
	const size_t max = countable(s), ahead = (size_t)(end - c->from);

	if (in_data(s))
		c->end = end;
	else if (max == 0) {
		scan_give_up(s, SCAN_TOO_LARGE, NULL);
		return;
	} else
		c->end = ahead > max ? c->from + max : end;
	states[s->state].take(s, c);
}

size_t
scan_bytes(struct scan *s, char *bytes, size_t gap, size_t len, size_t room)
{
	struct cursor c = { .to = bytes, .from = bytes + gap };
	const char *const end = c.from + len;
	size_t n;

	while (c.from < end && s->broken == 0)
		step(s, &c, end);
	n = (size_t)(c.to - bytes);
	return s->broken == 0 ? n : n + scan_end(s, c.to, room - n);
}
