/* SPDX-License-Identifier: MIT */
/* Which bytes a client gets by Range, If-Range and If-None-Match. */
#include "tests/unit/unit.h"

#include "server/range.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ETAG "\"sha256:00ff\""
#define TOTAL ((uint64_t)1000)

static struct range
choose(const char *range, const char *if_range, const char *if_none_match)
{
	const struct range_wishes wishes = { range, if_range, if_none_match };

	return range_choose(&wishes, ETAG, TOTAL);
}

START_TEST(one_range)
{
	static const struct {
		const char *header;
		uint64_t first, bytes;
	} cases[] = {
		{ "bytes=0-0", 0, 1 },
		{ "bytes=0-999", 0, 1000 },
		{ "bytes=999-999", 999, 1 },
		{ "bytes=10-19", 10, 10 },
		{ "BYTES=10-19", 10, 10 },
		{ "bytes=10-19 ", 10, 10 },
		{ "bytes=00010-000019", 10, 10 },
		/* Ends beyond the last byte are cut. */
		{ "bytes=990-1000", 990, 10 },
		{ "bytes=10-", 10, 990 },
		{ "bytes=10-18446744073709551615", 10, 990 },
		{ "bytes=10-18446744073709551616", 10, 990 },
		{ "bytes=10-99999999999999999999999999", 10, 990 },
		/* The last bytes. */
		{ "bytes=-1", 999, 1 },
		{ "bytes=-1000", 0, 1000 },
		{ "bytes=-1001", 0, 1000 },
		{ "bytes=-18446744073709551616", 0, 1000 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct range r = choose(cases[i].header, NULL, NULL);

		ck_assert_msg(r.choice == RANGE_PART, "%s", cases[i].header);
		ck_assert_msg(r.first == cases[i].first && r.bytes == cases[i].bytes, "%s", cases[i].header);
	}
}
END_TEST

START_TEST(ranges_beyond)
{
	static const char *const headers[] = { "bytes=1000-", "bytes=1000-1000", "bytes=-0", "bytes=-000",
		"bytes=18446744073709551615-", "bytes=18446744073709551616-",
		"bytes=18446744073709551616-18446744073709551617" };

	for (size_t i = 0; i < COUNT(headers); i++)
		ck_assert_msg(choose(headers[i], NULL, NULL).choice == RANGE_BEYOND, "%s", headers[i]);
}
END_TEST

/* A server may ignore what it does not understand. */
START_TEST(nonsense_is_ignored)
{
	static const char *const headers[] = { "", "bytes", "bytes=", "bytes=-", "bytes=--1", "bytes=1", "bytes=a-b",
		"bytes=1-0", "bytes=1-2,5-6", "bytes=1-2,", "bytes=,1-2", "bytes=1-2-3", "bytes=1 -2", "bytes=1- 2",
		"bytes= 1-2", "bytes =1-2", " bytes=1-2", "bytes=+1-2", "bytes=-1-2", "bytes=0x1-2", "bytes=1.0-2",
		"bytes=1-2x", "bytes:1-2", "items=1-2", "bytess=1-2", "bytes=1-2;q=1", "none" };

	for (size_t i = 0; i < COUNT(headers); i++) {
		const struct range r = choose(headers[i], NULL, NULL);

		ck_assert_msg(r.choice == RANGE_WHOLE && r.first == 0 && r.bytes == TOTAL, "%s", headers[i]);
	}
}
END_TEST

START_TEST(nothing_at_all)
{
	static const struct {
		const char *header;
		enum range_choice choice;
	} cases[] = { { "bytes=0-", RANGE_BEYOND }, { "bytes=0-0", RANGE_BEYOND }, { "bytes=-0", RANGE_BEYOND },
		{ "bytes=-1", RANGE_WHOLE }, { "bytes=1-0", RANGE_WHOLE } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct range_wishes wishes = { .range = cases[i].header };
		const struct range r = range_choose(&wishes, ETAG, 0);

		ck_assert_msg(r.choice == cases[i].choice && r.bytes == 0, "%s", cases[i].header);
	}
}
END_TEST

START_TEST(if_range)
{
	static const char *const others[] = { "", "sha256:00ff", "W/" ETAG, "\"sha256:00fe\"", ETAG ", " ETAG, "*",
		"Mon, 30 Nov 2026 16:00:00 GMT" };
	const struct range_wishes without = { .range = "bytes=1-2", .if_range = "" };

	ck_assert_int_eq(choose("bytes=1-2", ETAG, NULL).choice, RANGE_PART);
	ck_assert_int_eq(choose("bytes=1-2", " " ETAG " ", NULL).choice, RANGE_PART);
	ck_assert_int_eq(choose("bytes=1000-", ETAG, NULL).choice, RANGE_BEYOND);
	ck_assert_int_eq(choose(NULL, ETAG, NULL).choice, RANGE_WHOLE);
	for (size_t i = 0; i < COUNT(others); i++) {
		ck_assert_msg(choose("bytes=1-2", others[i], NULL).choice == RANGE_WHOLE, "%s", others[i]);
		ck_assert_msg(choose("bytes=1000-", others[i], NULL).choice == RANGE_WHOLE, "%s", others[i]);
	}
	ck_assert_int_eq(range_choose(&without, "", TOTAL).choice, RANGE_WHOLE);
}
END_TEST

START_TEST(if_none_match)
{
	static const char *const same[] = { ETAG, "W/" ETAG, "*", " * ", "\"a\", " ETAG, "\"a\"," ETAG ",\"b\"",
		",, \"a,b\" , W/\"c\"," ETAG, "\"\"," ETAG };
	static const char *const others[] = { "", "\"a\"", "sha256:00ff", "\"sha256:00f\"", "\"sha256:00ff", "w/" ETAG,
		"*, " ETAG "x\"", "**", "\"a\" b " ETAG, "W/", "W/*" };
	const struct range_wishes any = { .if_none_match = "*" };

	for (size_t i = 0; i < COUNT(same); i++) {
		ck_assert_msg(choose(NULL, NULL, same[i]).choice == RANGE_NOT_MODIFIED, "%s", same[i]);
		ck_assert_msg(choose("bytes=1-2", ETAG, same[i]).choice == RANGE_NOT_MODIFIED, "%s", same[i]);
	}
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(choose(NULL, NULL, others[i]).choice == RANGE_WHOLE, "%s", others[i]);
	ck_assert_int_eq(choose("bytes=1-2", NULL, "\"a\"").choice, RANGE_PART);
	ck_assert_int_eq(range_choose(&any, "", TOTAL).choice, RANGE_WHOLE);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("range");
	TCase *tests = tcase_create("range");

	tcase_add_test(tests, one_range);
	tcase_add_test(tests, ranges_beyond);
	tcase_add_test(tests, nonsense_is_ignored);
	tcase_add_test(tests, nothing_at_all);
	tcase_add_test(tests, if_range);
	tcase_add_test(tests, if_none_match);
	suite_add_tcase(suite, tests);
	return suite;
}
