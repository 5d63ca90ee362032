/* SPDX-License-Identifier: MIT */
/*
 * Bytes as they are received: the same is found however they are cut, it is laid to the request that it is in, and
 * libmicrohttpd gets only what it accepts.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/limits.h"
#include "server/scan.h"
#include "tests/unit/unit.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(text) (text), sizeof(text) - 1
#define SAME NULL

static const struct {
	const char *bytes;
	size_t len;
	uint32_t requests, broken;
	const char *delivered; /* SAME: all bytes */
} cases[] = {
	{ TEXT(GET), 1, 0, SAME },
	{ TEXT(GET GET GET), 3, 0, SAME },
	{ TEXT("\r\n\r\n" GET "\r\n" GET), 2, 0, GET GET },
	{ TEXT("GET / HTTP/1.0\r\n\r\n" GET), 2, 0, SAME },
	{ TEXT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 1, 0, SAME },
	{ TEXT(POST "A:\r\nB: \t\r\nC:c \xff\r\n\r\n"), 1, 0, SAME },
	{ TEXT(POST "Cookie:a=b; c\r\nCookies: d\r\n\r\n"), 1, 0, POST "Cookie:      \r\nCookies: d\r\n\r\n" },
	{ TEXT(POST "Content-Length: 4\r\n\r\n\n\r\n\n" GET), 2, 0, SAME },
	{ TEXT(POST "content-length:\t004 \t\r\n\r\nabcd" GET), 2, 0, POST "content-length:\t004\r\n\r\nabcd" GET },
	{ TEXT(POST "Content-Length: 0\r\n\r\n" GET), 2, 0, SAME },
	{ TEXT(POST "Content-Length: 00999999999999999999999\r\n\r\nab"), 1, 0,
	    POST "Content-Length: 00999999999999999999\r\n\r\nab" },
	{ TEXT(CHUNKED "4\r\n\n\n\n\n\r\n0\r\n\r\n" GET), 2, 0, SAME },
	{ TEXT(CHUNKED "fF\r\n" GET GET GET), 1, 0, CHUNKED "ff\r\n" GET GET GET },
	{ TEXT(POST "TRANSFER-ENCODING:chunked \r\n\r\n0004;a=\"b;c\"\r\nabcd\r\n000\r\nX: y\r\nZ:\r\n\r\n" GET), 2, 0,
	    POST "TRANSFER-ENCODING:chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" GET },

	/* Request lines. */
	{ TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/1.1\rHost: a\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 1, 1, "GET / HTTP/1.0\r\n\r\n" },
	{ TEXT("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 1, 1, "GET / HTTP/1.9\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/1\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET / http/1.1\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/1.10\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET  / HTTP/1.1\r\n\r\n"), 1, 1, "GET - HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET /a\x01b HTTP/1.1\r\n\r\n"), 1, 1, "GET /a HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET /a\r\n\r\n"), 1, 1, "GET /a HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GARBAGE\r\n\r\n"), 1, 1, "GARBAGE - HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 1, 1, "- - HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("\r\r\n" GET), 1, 1, "- - HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("\x16\x03\x01"), 1, 1, "- - HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT(GET "GET / HTTP/1.1\nHost: a\r\n\r\n"), 2, 2, GET "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT(GET " "), 2, 2, GET "- - HTTP/1.1\r\nHost:\r\n\r\n" },

	/* Headers. */
	{ TEXT("GET / HTTP/1.1\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/1.1\r\nHosts: a\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHosts: a\r\nHost:\r\n\r\n" },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"), 1, 1, GET },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n\ra"), 1, 1, GET },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n:\n" GET), 1, 1, GET },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n\0\n" GET), 1, 1, GET },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"), 1, 1, GET },
	{ TEXT("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n"), 1, 1, "GET / HTTP/1.1\r\nHo-:\r\nHost:\r\n\r\n" },
	{ TEXT(POST "a b: c\r\n\r\n"), 1, 1, POST "a-:\r\n\r\n" },
	{ TEXT(POST "host: a\r\n\r\n"), 1, 1, POST "host-:\r\n\r\n" },
	{ TEXT(POST "a: b\rc\r\n\r\n"), 1, 1, POST "a: b\r\n\r\n" },
	{ TEXT(POST "a: b\0c\r\n\r\n"), 1, 1, POST "a: b\r\n\r\n" },
	{ TEXT(GET "GET / HTTP/1.1\r\nHost: a\n\r\n"), 2, 2, GET GET },

	/* Where the body ends. */
	{ TEXT(POST "Content-Length:\r\n\r\n"), 1, 1, POST "Content-Length:0\r\n\r\n" },
	{ TEXT(POST "Content-Length: +4\r\n\r\n"), 1, 1, POST "Content-Length: 0\r\n\r\n" },
	{ TEXT(POST "Content-Length: 1 2\r\n\r\n"), 1, 1, POST "Content-Length: 1\r\n\r\n" },
	{ TEXT(POST "Content-Length : 4\r\n\r\n"), 1, 1, POST "Content-Length-:\r\n\r\n" },
	{ TEXT(POST "Content-Length: 4\r\nContent-Length: 4\r\n\r\n"), 1, 1,
	    POST "Content-Length: 4\r\nContent-Length-:\r\n\r\n" },
	{ TEXT(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), 1, 1,
	    POST "Content-Length: 4\r\nTransfer-Encoding-:\r\n\r\n" },
	{ TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"), 1, 1,
	    POST "Transfer-Encoding: chunked\r\nContent-Length-:\r\n\r\n" },
	{ TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 1, 1,
	    "POST / HTTP/1.0\r\nTransfer-Encoding-:\r\n\r\n" },
	{ TEXT(POST "Transfer-Encoding: gzip\r\n\r\n"), 1, 1, POST "Transfer-Encoding: chunked\r\n\r\n" },
	{ TEXT(POST "Transfer-Encoding: chunk\r\n\r\n"), 1, 1, POST "Transfer-Encoding: chunked\r\n\r\n" },
	{ TEXT(POST "Transfer-Encoding: chunked, a\r\n\r\n"), 1, 1, POST "Transfer-Encoding: chunked\r\n\r\n" },

	/* Between chunks. */
	{ TEXT(CHUNKED "4\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4\r\nabcd\n0\r\n\r\n"), 1, 1, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4\r\nabcd\r0\r\n\r\n"), 1, 1, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4\r\nabcd\r\n0\n\r\n"), 1, 1, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4\r\nabcd\r\n0\r\n\n"), 1, 1, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4\r\nabcd\r\n0\r\n\ra"), 1, 1, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4;a\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4;a\rb\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4;a\0b\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4 \r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED ";a\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "-4\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0x4\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "10000000000000004\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "3\r\nabc\r\n0\r\n\r\n" },
	{ TEXT(CHUNKED "4;\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4; \t\r\nabcd\r\n0\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "4; a\r\nabcd\r\n0\r\n\r\n" GET), 2, 0, CHUNKED "4\r\nabcd\r\n0\r\n\r\n" GET },
	{ TEXT(CHUNKED "0\r\nX : a\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\nX\r\n\r\n"), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\n\0\r\n" GET), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\n: a\r\n" GET), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\nX: a\r\n b\r\n\r\n" GET), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\nX: a\n\r\n" GET), 1, 1, CHUNKED "0\r\n\r\n" },
	{ TEXT(CHUNKED "0\r\nX: a\0b\r\n\r\n" GET), 1, 1, CHUNKED "0\r\n\r\n" },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))
#define DELIVERED_MAX ((size_t)32 << 10)

/* What libmicrohttpd got, and what was found. */
struct found {
	struct scan scan;
	char *bytes;
	size_t len;
};

static void
deliver(struct found *f, const char *bytes, size_t n)
{
	if (f->len + n > DELIVERED_MAX) /* each ck_assert costs a system call */
		ck_abort();
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

/* Scans the bytes in pieces, with no more room than they need. The ending may come later. */
static void
scan_pieces(struct found *f, const char *bytes, size_t len, size_t piece)
{
	static char buffer[DELIVERED_MAX + 32], delivered[2][DELIVERED_MAX];
	static unsigned turn;
	char *const kept = delivered[turn++ % 2];
	size_t n, gap;

	*f = (struct found){ .bytes = kept };
	for (size_t at = 0; at < len && f->scan.broken == 0; at += n) {
		n = piece < len - at ? piece : len - at;
		gap = scan_gap(&f->scan);
		memcpy(buffer + gap, bytes + at, n);
		deliver(f, buffer, scan_bytes(&f->scan, buffer, gap, n, gap + n));
	}
	while (f->scan.broken != 0 && (n = scan_end(&f->scan, buffer, 3)) > 0)
		deliver(f, buffer, n);
}

/* Drops the zeros before a chunk's size, of which there may be any number. */
static void
squeeze(struct found *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->len; i++)
		if (f->bytes[i] != '0' || n == 0 || f->bytes[n - 1] != '\n' || i + 1 == f->len ||
		    f->bytes[i + 1] == '\r')
			f->bytes[n++] = f->bytes[i];
	f->len = n;
}

START_TEST(the_same_however_it_is_cut)
{
	for (size_t i = 0; i < CASES; i++)
		for (size_t piece = 1; piece <= cases[i].len; piece++) {
			const char *want = cases[i].delivered == SAME ? cases[i].bytes : cases[i].delivered;
			struct found f;

			scan_pieces(&f, cases[i].bytes, cases[i].len, piece);
			squeeze(&f);
			ck_assert_msg(f.scan.request == cases[i].requests && f.scan.broken == cases[i].broken,
			    "case %zu in pieces of %zu: request %u, broken %u", i, piece, f.scan.request,
			    f.scan.broken);
			ck_assert_msg(f.len == strlen(want) && memcmp(f.bytes, want, f.len) == 0,
			    "case %zu in pieces of %zu: %.*s", i, piece, (int)f.len, f.bytes);
		}
}
END_TEST

/* A reader as strict as any version of libmicrohttpd: it refuses, or it takes whole requests and waits for more. */
struct reader {
	const char *at, *end;
	bool refuses;
	unsigned requests; /* whole ones */
};

/* The next line without CR LF; NULL: it is not there yet. */
static const char *
read_line(struct reader *r, size_t *len)
{
	const char *line = r->at, *lf = memchr(line, '\n', (size_t)(r->end - line));

	if (lf == NULL)
		return NULL;
	r->refuses = r->refuses || lf == line || lf[-1] != '\r';
	*len = r->refuses ? 0 : (size_t)(lf - 1 - line);
	r->refuses = r->refuses || memchr(line, '\r', *len) != NULL || memchr(line, '\0', *len) != NULL;
	r->at = lf + 1;
	return line;
}

static bool
is_request_line(const char *line, size_t len, bool *is_1_1)
{
	const char *target = memchr(line, ' ', len),
		   *version = target == NULL ? NULL : memchr(target + 1, ' ', len - (size_t)(target + 1 - line));

	if (version == NULL || target == line || version == target + 1 || line + len - version != 9)
		return false;
	*is_1_1 = version[8] >= '1' && version[8] <= '9';
	return memcmp(version, " HTTP/1.", 8) == 0 && (*is_1_1 || version[8] == '0');
}

/* The header's value without blanks before it; NULL: it is another header. */
static const char *
value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
	const size_t n = strlen(name);
	const char *value = line + n + 1;

	if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return NULL;
	while (value < line + len && (*value == ' ' || *value == '\t'))
		value++;
	*value_len = (size_t)(line + len - value);
	return value;
}

struct reader_head {
	bool is_1_1, host, cookie, chunked, has_length;
	uint64_t length;
};

static void
read_header(struct reader *r, struct reader_head *h, const char *line, size_t len)
{
	const char *value;
	size_t n;

	r->refuses = r->refuses || *line == ':' || *line == ' ' || *line == '\t' || memchr(line, ':', len) == NULL;
	h->host = h->host || value_of(line, len, "Host", &n) != NULL;
	h->cookie = h->cookie || (value_of(line, len, "Cookie", &n) != NULL && n > 0);
	if ((value = value_of(line, len, "Transfer-Encoding", &n)) != NULL) {
		r->refuses = r->refuses || n != 7 || strncasecmp(value, "chunked", n) != 0;
		h->chunked = true;
	}
	if ((value = value_of(line, len, "Content-Length", &n)) == NULL)
		return;
	r->refuses = r->refuses || n == 0 || strspn(value, "0123456789") != n;
	h->has_length = true;
	for (h->length = 0; n > 0; n--, value++)
		h->length = h->length * 10 + (uint64_t)(*value - '0');
}

static bool
read_head(struct reader *r, struct reader_head *h)
{
	size_t len;
	const char *line = read_line(r, &len);

	*h = (struct reader_head){ 0 };
	if (line == NULL)
		return false;
	r->refuses = r->refuses || !is_request_line(line, len, &h->is_1_1);
	while (!r->refuses && (line = read_line(r, &len)) != NULL && len > 0)
		read_header(r, h, line, len);
	r->refuses =
	    r->refuses || (line != NULL && ((h->is_1_1 && !h->host) || h->cookie || (h->chunked && h->has_length)));
	return line != NULL && !r->refuses;
}

/* False: not all is there. */
static bool
read_data(struct reader *r, uint64_t len)
{
	const bool whole = (uint64_t)(r->end - r->at) >= len;

	r->at = whole ? r->at + len : r->end;
	return whole;
}

static bool
read_chunks(struct reader *r)
{
	const char *line;
	char *end;
	size_t len;
	uint64_t size;

	do {
		if ((line = read_line(r, &len)) == NULL)
			return false;
		size = strtoull(line, &end, 16);
		r->refuses =
		    r->refuses || end != line + len || len == 0 || *line == '-' || *line == '+' || *line == ' ';
		if (r->refuses || (size > 0 && !read_data(r, size)) || read_line(r, &len) == NULL)
			return false;
		r->refuses = r->refuses || len > 0;
	} while (size > 0 && !r->refuses);
	return !r->refuses;
}

static void
read_all(struct reader *r)
{
	struct reader_head h;

	while (r->at < r->end && read_head(r, &h) && (h.chunked ? read_chunks(r) : read_data(r, h.length)))
		r->requests++;
}

/* The handler is called with the broken request: its head is whole, and its body too if that is at fault. */
static void
check(const char *bytes, size_t len)
{
	struct found whole, cut;
	struct reader r;

	scan_pieces(&whole, bytes, len, len);
	scan_pieces(&cut, bytes, len, 1);
	r = (struct reader){ .at = cut.bytes, .end = cut.bytes + cut.len };
	read_all(&r);
	squeeze(&whole);
	squeeze(&cut);
	if (r.refuses || cut.scan.broken != whole.scan.broken || cut.scan.request != whole.scan.request ||
	    (cut.scan.broken != 0 && r.requests + 1 < cut.scan.broken) || whole.len != cut.len ||
	    memcmp(whole.bytes, cut.bytes, cut.len) != 0)
		ck_abort_msg(
		    "%.*s: %.*s or %.*s", (int)len, bytes, (int)whole.len, whole.bytes, (int)cut.len, cut.bytes);
}

/* Every case with any byte left out, or another in its place or before it. */
START_TEST(nothing_that_is_delivered_is_refused)
{
	static const char others[] = "\0\r\n\t :;-?0aZH/.\x7f\x80";
	char bytes[512];

	for (size_t i = 0; i < CASES; i++) {
		ck_assert_uint_lt(cases[i].len, sizeof(bytes));
		for (size_t at = 0; at < cases[i].len; at++) {
			const size_t rest = cases[i].len - at - 1;

			memcpy(bytes, cases[i].bytes, at);
			memcpy(bytes + at, cases[i].bytes + at + 1, rest);
			check(bytes, cases[i].len - 1);
			for (size_t other = 0; other < sizeof(others) - 1; other++) {
				bytes[at] = others[other];
				memcpy(bytes + at + 1, cases[i].bytes + at + 1, rest);
				check(bytes, cases[i].len);
				memcpy(bytes + at + 1, cases[i].bytes + at, rest + 1);
				check(bytes, cases[i].len + 1);
			}
		}
	}
}
END_TEST

static size_t
add(char *out, size_t at, const char *text)
{
	const size_t len = strlen(text);

	memcpy(out + at, text, len);
	return at + len;
}

/* `n` times a text between two others. */
static size_t
grow(char *out, const char *before, size_t n, const char *text, const char *after)
{
	size_t len = add(out, 0, before);

	for (size_t i = 0; i < n; i++)
		len = add(out, len, text);
	return add(out, len, after);
}

/* How much of each is just allowed. */
START_TEST(limits)
{
	static const struct {
		const char *before, *text, *after;
		size_t most;
	} grows[] = {
		{ "", "a", " / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_BYTES_MAX - 24 },
		{ "GET /", "a", " HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_BYTES_MAX - 27 },
		{ "\r\nGET /", "a", " HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_BYTES_MAX - 29 },
		{ GET "GET /", "a", " HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_BYTES_MAX - 27 },
		{ POST "X: ", "a", "\r\n\r\n", HEAD_BYTES_MAX - 33 },
		{ POST "Content-Length: ", "0", "\r\n\r\n", HEAD_BYTES_MAX - 46 },
		{ POST "X", "a", ": \r\n\r\n", HEAD_BYTES_MAX - 33 },
		{ POST, "a:\r\n", "\r\n", HEAD_FIELDS_MAX - 1 },
		{ "", "\r\n", GET, (HEAD_BYTES_MAX - 27) / 2 },
		{ CHUNKED "4\r\nabcd\r\n0\r\n", "a: b\r\n", "\r\n" GET, ASIDE_BYTES_MAX / 6 },
		{ CHUNKED "4\r\nabcd\r\n0\r\nX: ", "a", "\r\n\r\n" GET, ASIDE_BYTES_MAX - 5 },
		{ CHUNKED "4\r\nabcd\r\n0;", "a", "\r\n\r\n" GET, ASIDE_BYTES_MAX - 4 },
		{ CHUNKED, "0", "\r\n\r\n" GET, ASIDE_BYTES_MAX },
	};
	static char bytes[DELIVERED_MAX];

	for (size_t i = 0; i < sizeof(grows) / sizeof(grows[0]); i++)
		for (size_t more = 0; more < 2; more++) {
			const size_t len =
			    grow(bytes, grows[i].before, grows[i].most + more, grows[i].text, grows[i].after);
			struct found f;

			scan_pieces(&f, bytes, len, 1);
			ck_assert_msg((f.scan.broken != 0) == (more > 0), "%zu: %zu more, broken %u, %zu bytes", i,
			    more, f.scan.broken, len);
			ck_assert(more == 0 || f.scan.fault == SCAN_TOO_LARGE);
			check(bytes, len);
		}
}
END_TEST

/* A body's bytes are none of its business, and its length is not forgotten in a large one. */
START_TEST(a_long_body_is_passed_over)
{
	char head[] = POST "Content-Length: 5000000000\r\n\r\n", more[] = GET;
	static char zeros[1 << 20];
	struct scan s = { 0 };
	uint64_t left = 5000000000;

	ck_assert_uint_eq(scan_bytes(&s, head, 0, sizeof(head) - 1, sizeof(head)), sizeof(head) - 1);
	for (; left > sizeof(zeros); left -= sizeof(zeros))
		(void)scan_bytes(&s, zeros, 0, sizeof(zeros), sizeof(zeros));
	(void)scan_bytes(&s, zeros, 0, (size_t)left, sizeof(zeros));
	(void)scan_bytes(&s, more, 0, sizeof(more) - 1, sizeof(more));
	ck_assert_uint_eq(s.request, 2);
	ck_assert_uint_eq(s.broken, 0);
}
END_TEST

/* Data stays where it was received, whatever stands before it; only behind what is dropped it must move. */
START_TEST(sizes_come_whole)
{
	char head[] = CHUNKED, bytes[64] = "1", more[] = "...................0;a\r\n0123456789abcdef\r\n";
	const size_t gap = 18;
	struct scan s = { 0 };

	(void)scan_bytes(&s, head, 0, sizeof(head) - 1, sizeof(head));
	ck_assert_uint_eq(scan_gap(&s), 0);
	ck_assert_uint_eq(scan_bytes(&s, bytes, 0, 1, sizeof(bytes)), 0);
	ck_assert_uint_eq(scan_gap(&s), gap);
	memcpy(bytes + gap, more + gap + 1, sizeof(more) - gap - 1);
	ck_assert_uint_eq(scan_bytes(&s, bytes, gap, sizeof(more) - gap - 2, sizeof(bytes)), sizeof(more) - 2);
	ck_assert_mem_eq(bytes, "000000000000000000010\r\n0123456789abcdef\r\n", sizeof(more) - 2);
	ck_assert_uint_eq(s.broken, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("scan");
	TCase *t = tcase_create("bytes");

	tcase_add_test(t, the_same_however_it_is_cut);
	tcase_add_test(t, nothing_that_is_delivered_is_refused);
	tcase_add_test(t, limits);
	tcase_add_test(t, sizes_come_whole);
	tcase_add_test(t, a_long_body_is_passed_over);
	suite_add_tcase(suite, t);
	return suite;
}
