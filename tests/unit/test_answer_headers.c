/* SPDX-License-Identifier: MIT */
/* Headers that libmicrohttpd is given as one. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "server/answer_headers.h"
#include "tests/unit/unit.h"

#define FIRST "X-Content-Type-Options: nosniff\r\n"

static struct MHD_Response *response;
static struct answer_headers headers;

static void
begin(void)
{
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	ck_assert_ptr_nonnull(response);
	answer_headers_init(&headers, response);
	answer_headers_add(&headers, "X-Content-Type-Options", "nosniff");
}

static void
end(void)
{
	MHD_destroy_response(response);
}

static enum MHD_Result
append(void *text, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const size_t len = strlen(text);

	(void)kind;
	snprintf((char *)text + len, 4096 - len, "%s: %s\r\n", name, value);
	return MHD_YES;
}

/* The headers as libmicrohttpd sends them. */
static const char *
sent(void)
{
	static char text[4096];

	*text = '\0';
	(void)MHD_get_response_headers(response, append, text);
	return text;
}

START_TEST(one_or_none)
{
	answer_headers_init(&headers, response);
	ck_assert(answer_headers_put(&headers));
	ck_assert_str_eq(sent(), "");
	answer_headers_add(&headers, "X-Content-Type-Options", "nosniff");
	ck_assert(answer_headers_put(&headers));
	ck_assert_str_eq(sent(), FIRST);
}
END_TEST

START_TEST(headers_keep_their_order)
{
	answer_headers_add(&headers, "ETag", "\"a  b\"");
	answer_headers_add_number(&headers, "Normd-Revision", UINT64_MAX, false);
	answer_headers_add_number(&headers, "ETag", 7, true);
	answer_headers_add(&headers, "X-Request-Id", "r");
	ck_assert(answer_headers_put(&headers));
	ck_assert_int_eq(MHD_get_response_headers(response, NULL, NULL), 1);
	ck_assert_str_eq(sent(),
	    FIRST "ETag: \"a  b\"\r\nNormd-Revision: 18446744073709551615\r\nETag: \"7\"\r\nX-Request-Id: r\r\n");
}
END_TEST

START_TEST(what_does_not_fit_is_added_by_itself)
{
	char value[ANSWER_HEADERS_BYTES + 1] = "";

	memset(value, 'a', sizeof(value) - 1);
	for (size_t cut = 0; cut < 64; cut++) {
		begin();
		answer_headers_add(&headers, "Location", value + cut);
		answer_headers_add(&headers, "ETag", "\"1\"");
		ck_assert(answer_headers_put(&headers));
		ck_assert_uint_eq(
		    strlen(sent()), sizeof(FIRST "Location: \r\nETag: \"1\"\r\n") - 1 + sizeof(value) - 1 - cut);
		ck_assert_ptr_nonnull(strstr(sent(), "ETag: \"1\"\r\n"));
		end();
	}
}
END_TEST

START_TEST(there_may_be_many)
{
	const char *at;

	for (unsigned i = 0; i < ANSWER_HEADERS_MAX + 5; i++)
		answer_headers_add_number(&headers, "Name", i, false);
	ck_assert(answer_headers_put(&headers));
	ck_assert_int_eq(MHD_get_response_headers(response, NULL, NULL), 6);
	at = sent();
	for (unsigned i = 0; i < ANSWER_HEADERS_MAX + 5; i++) {
		at = strstr(at, "Name: ");
		ck_assert_ptr_nonnull(at);
		at++;
	}
	ck_assert_ptr_null(strstr(at, "Name: "));
}
END_TEST

START_TEST(a_value_cannot_end_its_line)
{
	answer_headers_add(&headers, "ETag", _i == 0 ? "a\r\nSet-Cookie: b" : "a\nb");
	ck_assert(!answer_headers_put(&headers));
	ck_assert_str_eq(sent(), "");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("answer_headers");
	TCase *tcase = tcase_create("answer_headers"), *own = tcase_create("own");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, one_or_none);
	tcase_add_test(tcase, headers_keep_their_order);
	tcase_add_test(tcase, there_may_be_many);
	tcase_add_loop_test(tcase, a_value_cannot_end_its_line, 0, 2);
	tcase_add_test(own, what_does_not_fit_is_added_by_itself);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, own);
	return suite;
}
