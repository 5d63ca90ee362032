/* SPDX-License-Identifier: MIT */
/* Quoting: what is a JSON string's to escape, and bytes that are no UTF-8. */
#include "tests/unit/unit.h"

#include <string.h>

#include "base/quote.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The buffer's text as a C string; the buffer is cleared for the next. */
static const char *
taken(struct buf *b)
{
	static char text[256];

	ck_assert(!b->failed && b->len < sizeof(text));
	memcpy(text, b->bytes, b->len);
	text[b->len] = '\0';
	buf_clear(b);
	return text;
}

START_TEST(strings)
{
	static const char *const cases[][2] = {
		{ "", "\"\"" },
		{ "abc /", "\"abc /\"" },
		{ "\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e", "\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"" },
		/* no UTF-8: a stray byte, a cut character, an overlong one, half of a surrogate pair */
		{ "a\xff"
		  "b",
		    "\"a\xef\xbf\xbd"
		    "b\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		quote_json(&b, cases[i][0]);
		ck_assert_str_eq(taken(&b), cases[i][1]);
	}
	buf_fini(&b);
}
END_TEST

/* Only what JSON demands is escaped; a text of this length may contain NULs. */
START_TEST(texts)
{
	static const char text[] = "a\0b \"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9d\x84\x9e";
	struct buf b;

	buf_init(&b, 1000);
	quote_json_text(&b, text, sizeof(text) - 1);
	ck_assert_str_eq(taken(&b), "\"a\\u0000b \\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\xf0\x9d\x84\x9e\"");
	quote_json_text(&b, text, 0);
	ck_assert_str_eq(taken(&b), "\"\"");
	buf_fini(&b);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("quote");
	TCase *all = tcase_create("strings");

	tcase_add_test(all, strings);
	tcase_add_test(all, texts);
	suite_add_tcase(suite, all);
	return suite;
}
