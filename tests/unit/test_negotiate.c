/* SPDX-License-Identifier: MIT */
/* Media types and codings in headers, as clients really send them and as they might. */
#include "tests/unit/unit.h"

#include "server/negotiate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE (-1)

START_TEST(content_type)
{
	static const struct {
		const char *header;
		int form;
	} cases[] = {
		{ NULL, FORM_JSON },
		{ "", FORM_JSON },
		{ "application/json", FORM_JSON },
		{ "Application/JSON", FORM_JSON },
		{ "application/json; charset=utf-8", FORM_JSON },
		{ "application/json ;charset=utf-8", FORM_JSON },
		{ " application/json", FORM_JSON },
		{ "application/vnd.api+json", FORM_JSON },
		{ "application/x-www-form-urlencoded", FORM_JSON },
		{ "application/x-npy", FORM_NPY },
		{ "APPLICATION/X-NPY;version=1", FORM_NPY },
		{ "application/x-npyz", NONE },
		{ "application/octet-stream", NONE },
		/* What fetch() sends when it is given a string. */
		{ "text/plain", FORM_JSON },
		{ "text/plain;charset=UTF-8", FORM_JSON },
		{ "text/plain ; charset=\"utf-8\"", FORM_JSON },
		{ "Text/Plain; format=flowed; charset=us-ascii", FORM_JSON },
		{ "text/plain;charset=iso-8859-1", NONE },
		{ "text/plain;charset=utf-16", NONE },
		{ "text/plain;charset=", NONE },
		{ "text/plain;charset=utf-8x", NONE },
		{ "text/plainer", NONE },
		{ "text/html", NONE },
		{ "+json", NONE },
		{ "json", NONE },
		{ "multipart/form-data; boundary=application/json", NONE },
	};
	enum form form;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = negotiate_form(cases[i].header, &form);

		ck_assert_msg(result == (cases[i].form == NONE ? -1 : 0), "%s", cases[i].header);
		if (result == 0)
			ck_assert_msg((int)form == cases[i].form, "%s", cases[i].header);
	}
}
END_TEST

START_TEST(types_of_files)
{
	static const char *const good[] = { "", " ", "application/octet-stream", "Application/Octet-Stream; x=y",
		"application/vnd.safetensors", "application/x-www-form-urlencoded" };
	static const char *const bad[] = { "application/json", "application/x-npy", "text/plain", "octet-stream",
		"application/octet-streams", "application/zip, application/octet-stream" };

	ck_assert_int_eq(negotiate_file(NULL), 0);
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(negotiate_file(good[i]) == 0, "%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(negotiate_file(bad[i]) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(types_of_oip_calls)
{
	static const char *const good[] = { "", "application/json", "application/octet-stream",
		"Application/Octet-Stream; x=y", "text/plain; charset=utf-8", "application/x-www-form-urlencoded" };
	static const char *const bad[] = { "application/x-npy", "application/vnd.safetensors", "octet-stream",
		"application/octet-streams", "text/html", "text/plain;charset=utf-16" };

	ck_assert_int_eq(negotiate_oip(NULL), 0);
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(negotiate_oip(good[i]) == 0, "%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(negotiate_oip(bad[i]) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(content_encoding)
{
	static const struct {
		const char *header;
		int coding;
	} cases[] = {
		{ NULL, CODING_IDENTITY },
		{ "", CODING_IDENTITY },
		{ "identity", CODING_IDENTITY },
		{ "gzip", CODING_GZIP },
		{ "GZIP", CODING_GZIP },
		{ " x-gzip ", CODING_GZIP },
		{ "deflate", CODING_DEFLATE },
		{ "br", NONE },
		{ "gzip, gzip", NONE },
		{ "gzip, deflate", NONE },
		{ "zstd", NONE },
	};
	enum coding coding;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = negotiate_coding(cases[i].header, &coding);

		ck_assert_msg(result == (cases[i].coding == NONE ? -1 : 0), "%s", cases[i].header);
		if (result == 0)
			ck_assert_msg((int)coding == cases[i].coding, "%s", cases[i].header);
	}
}
END_TEST

/* The answer where the question was JSON, was .npy, and where there is no .npy. */
START_TEST(accept)
{
	static const struct {
		const char *header;
		int json, npy, only_json;
	} cases[] = {
		{ NULL, FORM_JSON, FORM_NPY, FORM_JSON },
		{ "", FORM_JSON, FORM_NPY, FORM_JSON },
		{ " ,", FORM_JSON, FORM_NPY, FORM_JSON },
		{ "*/*", FORM_JSON, FORM_NPY, FORM_JSON },
		{ "application/*", FORM_JSON, FORM_NPY, FORM_JSON },
		{ "application/json", FORM_JSON, FORM_JSON, FORM_JSON },
		{ "application/x-npy", FORM_NPY, FORM_NPY, NONE },
		{ "application/json, application/x-npy", FORM_JSON, FORM_NPY, FORM_JSON },
		{ "application/json;q=0.5, application/x-npy", FORM_NPY, FORM_NPY, FORM_JSON },
		{ "application/json, application/x-npy;q=0.9", FORM_JSON, FORM_JSON, FORM_JSON },
		{ "application/json;q=0, */*", FORM_NPY, FORM_NPY, NONE },
		{ "*/*, application/json;q=0", FORM_NPY, FORM_NPY, NONE },
		{ "application/x-npy;q=0, */*;q=0.1", FORM_JSON, FORM_JSON, FORM_JSON },
		{ "application/json, text/plain, */*", FORM_JSON, FORM_NPY, FORM_JSON },
		{ "application/problem+json", FORM_JSON, FORM_JSON, FORM_JSON },
		{ "application/problem+json;q=0", NONE, NONE, NONE },
		{ "text/html", NONE, NONE, NONE },
		{ "text/html, */*;q=0.000", NONE, NONE, NONE },
		{ "application/json;version=2;q=0.3, application/x-npy; q=0.299", FORM_JSON, FORM_JSON, FORM_JSON },
		{ "application/json;Q=0.3, application/x-npy;q=0.4", FORM_NPY, FORM_NPY, FORM_JSON },
		{ "application/json;q=nonsense", FORM_JSON, FORM_JSON, FORM_JSON },
	};
	enum form form;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *h = cases[i].header;

		ck_assert_msg((negotiate_answer_form(h, form_carrying(1), FORM_JSON, &form) == 0 ? (int)form : NONE) ==
			cases[i].json,
		    "%s", h);
		ck_assert_msg((negotiate_answer_form(h, form_carrying(1), FORM_NPY, &form) == 0 ? (int)form : NONE) ==
			cases[i].npy,
		    "%s", h);
		ck_assert_msg((negotiate_answer_form(h, form_carrying(0), FORM_JSON, &form) == 0 ? (int)form : NONE) ==
			cases[i].only_json,
		    "%s", h);
	}
}
END_TEST

START_TEST(a_page_or_json)
{
	static const struct {
		const char *accept;
		bool page;
	} cases[] = {
		{ NULL, true },
		{ "", true },
		{ " ,", true },
		{ "*/*", true },
		{ "*/*;q=0.001", true },
		{ "text/*", true },
		{ "text/html", true },
		{ "TEXT/HTML;level=1", true },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true },
		{ "application/json, text/html", true },
		{ "application/json;q=0.9, text/html;q=0.9", true },
		{ "application/json", false },
		{ "application/*", false },
		{ "application/problem+json", false },
		{ "application/json, */*;q=0.5", false },
		{ "application/json, text/html;q=0.999", false },
		{ "text/html;q=0, */*", false },
		{ "*/*;q=0", false },
		{ "text/plain", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(negotiate_prefers_page(cases[i].accept) == cases[i].page, "%s", cases[i].accept);
}
END_TEST

START_TEST(accept_encoding)
{
	static const struct {
		const char *header;
		int coding;
		bool must;
	} cases[] = {
		{ NULL, CODING_IDENTITY, false },
		{ "", CODING_IDENTITY, false },
		{ "gzip", CODING_GZIP, false },
		{ "gzip, deflate, br", CODING_GZIP, false },
		{ "deflate", CODING_DEFLATE, false },
		{ "deflate, gzip;q=0.9", CODING_DEFLATE, false },
		{ "gzip;q=0", CODING_IDENTITY, false },
		{ "br", CODING_IDENTITY, false },
		{ "*", CODING_GZIP, false },
		{ "*;q=0.1", CODING_GZIP, false },
		{ "gzip;q=0, *", CODING_DEFLATE, false },
		{ "identity", CODING_IDENTITY, false },
		{ "identity, gzip;q=0.5", CODING_IDENTITY, false },
		{ "identity;q=0.5, gzip", CODING_GZIP, false },
		{ "gzip;q=0.001", CODING_GZIP, false },
		{ "identity;q=0, gzip", CODING_GZIP, true },
		{ "gzip, *;q=0", CODING_GZIP, true },
		{ "identity;q=0", NONE, true },
		{ "*;q=0", NONE, true },
		{ "br, *;q=0", NONE, true },
	};
	enum coding coding;
	bool must;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = negotiate_answer_coding(cases[i].header, &coding, &must);

		ck_assert_msg((result == 0 ? (int)coding : NONE) == cases[i].coding, "%s", cases[i].header);
		ck_assert_msg(must == cases[i].must, "%s", cases[i].header);
	}
}
END_TEST

START_TEST(accept_of_a_file)
{
	static const struct {
		const char *header;
		int result;
	} cases[] = {
		{ NULL, 0 },
		{ "", 0 },
		{ "*/*", 0 },
		{ "application/*;q=0.1", 0 },
		{ "application/vnd.sqlite3", 0 },
		{ "text/html, Application/VND.sqlite3;q=0.5", 0 },
		{ "application/vnd.sqlite3;q=0, */*", -1 },
		{ "application/json", -1 },
		{ "application/problem+json", -1 },
		{ "text/html", -1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(negotiate_answer_type(cases[i].header, "application/vnd.sqlite3") == cases[i].result,
		    "%s", cases[i].header);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("negotiate");
	TCase *all = tcase_create("headers");

	tcase_add_test(all, content_type);
	tcase_add_test(all, types_of_files);
	tcase_add_test(all, types_of_oip_calls);
	tcase_add_test(all, content_encoding);
	tcase_add_test(all, accept);
	tcase_add_test(all, a_page_or_json);
	tcase_add_test(all, accept_encoding);
	tcase_add_test(all, accept_of_a_file);
	suite_add_tcase(suite, all);
	return suite;
}
