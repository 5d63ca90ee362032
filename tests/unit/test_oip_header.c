/* SPDX-License-Identifier: MIT */
/* Which values of Inference-Header-Content-Length are taken. */
#include "tests/unit/unit.h"

#include <string.h>

#include "server/oip_header.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(good_values)
{
	static const struct {
		const char *value;
		size_t bytes;
	} cases[] = { { NULL, 0 }, { "1", 1 }, { "007", 7 }, { "99", 99 }, { "100", 100 } };
	size_t bytes;
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		bytes = 1;
		ck_assert_msg(oip_header_parse(cases[i].value, &(struct oip_body){ 100, _i != 0 }, &bytes, &e) == 0,
		    "%s", e.detail);
		ck_assert_uint_eq(bytes, cases[i].bytes);
	}
}
END_TEST

START_TEST(bad_values)
{
	static const struct {
		const char *value, *says;
	} cases[] = {
		{ "", "digits only" },
		{ "-1", "is \"-1\"; it must be a number of bytes, digits only" },
		{ "+1", "digits only" },
		{ " 1", "digits only" },
		{ "1 ", "digits only" },
		{ "1,2", "digits only" },
		{ "1.0", "digits only" },
		{ "1e1", "digits only" },
		{ "0x10", "digits only" },
		{ "ten", "digits only" },
		{ "\xd9\xa1", "digits only" }, /* the Arabic digit one */
		{ "0", "is 0: a body of raw tensor bytes is not supported" },
		{ "000", "is 0: a body of raw tensor bytes is not supported" },
		{ "101", "is 101, but the body" },
		{ "2147483648", "is 2147483648, but the body" },
		{ "18446744073709551615", "is 18446744073709551615, but the body" },
		{ "18446744073709551617", "is 18446744073709551617, but the body" }, /* 2^64 + 1 */
		{ "99999999999999999999999999999999999999999999999999", ", but the body" },
	};
	size_t bytes;
	struct err e;

	for (size_t i = 0; i < COUNT(cases); i++) {
		e = (struct err){ 0 };
		ck_assert_int_eq(oip_header_parse(cases[i].value, &(struct oip_body){ 100, _i != 0 }, &bytes, &e), -1);
		ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
		ck_assert_msg(strstr(e.detail, "Inference-Header-Content-Length ") == e.detail &&
			strstr(e.detail, cases[i].says) != NULL,
		    "%s: %s", cases[i].value, e.detail);
		ck_assert_uint_eq(bytes, 0);
	}
}
END_TEST

/* The message says whether the body has, or may have, so many bytes. */
START_TEST(limits)
{
	size_t bytes;
	struct err e = { 0 };

	ck_assert_int_eq(oip_header_parse("101", &(struct oip_body){ 100, true }, &bytes, &e), -1);
	ck_assert_str_eq(e.detail, "Inference-Header-Content-Length is 101, but the body has 100 bytes");
	ck_assert_int_eq(oip_header_parse("101", &(struct oip_body){ 100, false }, &bytes, &e), -1);
	ck_assert_str_eq(e.detail, "Inference-Header-Content-Length is 101, but the body may have at most 100 bytes");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("oip_header");
	TCase *all = tcase_create("values");

	tcase_add_loop_test(all, good_values, 0, 2);
	tcase_add_loop_test(all, bad_values, 0, 2);
	tcase_add_test(all, limits);
	suite_add_tcase(suite, all);
	return suite;
}
