/* SPDX-License-Identifier: MIT */
/*
 * Lines as they are received: the same is found however the bytes are cut, and it is laid to the request that it is in.
 */
#include <string.h>

#include "server/scan.h"
#include "tests/unit/unit.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(text) (text), sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	uint32_t requests, broken;
} cases[] = {
	{ TEXT(GET), 1, 0 },
	{ TEXT(GET GET GET), 3, 0 },
	{ TEXT("\r\n\r\n" GET "\r\n" GET), 2, 0 },
	{ TEXT(POST "Content-Length: 4\r\n\r\n\n\r\n\n" GET), 2, 0 },
	{ TEXT(POST "content-length:\t004 \r\n\r\nabcd" GET), 2, 0 },
	{ TEXT(POST "Content-Length: 0\r\n\r\n" GET), 2, 0 },
	{ TEXT(CHUNKED "4\r\n\n\n\n\n\r\n0\r\n\r\n" GET), 2, 0 },
	{ TEXT(POST "TRANSFER-ENCODING:chunked \r\n\r\n0004;a=\"b;c\"\r\nabcd\r\n000\r\nX: y\r\n\r\n" GET), 2, 0 },
	{ TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), 0, 1 },
	{ TEXT("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, 1 },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 1, 1 },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"), 1, 1 },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n:\n" GET), 1, 1 },
	{ TEXT("GET / HTTP/1.1\r\nHost: a\r\n\0\n" GET), 1, 1 },
	{ TEXT(GET "GET / HTTP/1.1\r\nHost: a\n\r\n"), 2, 2 },
	{ TEXT(GET "GET / HTTP/1.1\nHost: a\r\n\r\n"), 1, 2 },
	{ TEXT(CHUNKED "4\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4\r\nabcd\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4\r\nabcd\r\n0\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4\r\nabcd\r\n0\r\n\n"), 1, 1 },
	{ TEXT(CHUNKED "4;a\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4;a\rb\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4;a\0b\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4 \r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED ";a\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "-4\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "0x4\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "10000000000000004\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4;\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4; \t\r\nabcd\r\n0\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "4; a\r\nabcd\r\n0\r\n\r\n" GET), 2, 0 },
	{ TEXT(CHUNKED "0\r\nX : a\r\n\r\n"), 1, 1 },
	{ TEXT(CHUNKED "0\r\n\0\r\n" GET), 1, 1 },
	{ TEXT(CHUNKED "0\r\n: a\r\n" GET), 1, 1 },
	{ TEXT(CHUNKED "0\r\nX: a\r\n b\r\n\r\n" GET), 1, 1 },
	{ TEXT(CHUNKED "0\r\nX: a\n\r\n" GET), 1, 1 },
	{ TEXT(CHUNKED "0\r\nX: a\0b\r\n\r\n" GET), 1, 1 },
};

START_TEST(the_same_however_it_is_cut)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t piece = 1; piece <= cases[i].len; piece++) {
			struct scan s = { 0 };
			char bytes[512];

			ck_assert_uint_le(cases[i].len, sizeof(bytes));
			memcpy(bytes, cases[i].bytes, cases[i].len);
			for (size_t at = 0; at < cases[i].len; at += piece)
				scan_bytes(&s, bytes + at, piece < cases[i].len - at ? piece : cases[i].len - at);
			ck_assert_msg(s.request == cases[i].requests && s.broken == cases[i].broken,
			    "case %zu in pieces of %zu: request %u, broken %u", i, piece, s.request, s.broken);
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

	scan_bytes(&s, head, sizeof(head) - 1);
	for (; left > sizeof(zeros); left -= sizeof(zeros))
		scan_bytes(&s, zeros, sizeof(zeros));
	scan_bytes(&s, zeros, (size_t)left);
	scan_bytes(&s, more, sizeof(more) - 1);
	ck_assert_uint_eq(s.request, 2);
	ck_assert_uint_eq(s.broken, 0);
}
END_TEST

/* The library sees sizes alone. */
START_TEST(extensions_are_hidden)
{
	char bytes[] = CHUNKED "4;a=\"b;c\"\r\nabcd\r\n0;x\r\n\r\n",
	     plain[] = CHUNKED "4\r\na;cd\r\n0\r\nX: a;b\r\n\r\n", same[sizeof(plain)];
	struct scan s = { 0 };

	scan_bytes(&s, bytes, sizeof(bytes) - 1);
	ck_assert_str_eq(bytes, CHUNKED "000000004\r\nabcd\r\n000\r\n\r\n");
	memcpy(same, plain, sizeof(same));
	scan_bytes(&s, plain, sizeof(plain) - 1);
	ck_assert_str_eq(plain, same);
	ck_assert_uint_eq(s.request, 2);
	ck_assert_uint_eq(s.broken, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("scan");
	TCase *t = tcase_create("lines");

	tcase_add_test(t, the_same_however_it_is_cut);
	tcase_add_test(t, extensions_are_hidden);
	tcase_add_test(t, a_long_body_is_passed_over);
	suite_add_tcase(suite, t);
	return suite;
}
