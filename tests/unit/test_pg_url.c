/* SPDX-License-Identifier: MIT */
/* URLs of PostgreSQL: which are valid, and that no password is shown. */
#include "tests/unit/unit.h"

#include <string.h>

#include "storage/pg_url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *url, *shown;
	bool valid;
} urls[] = {
	{ "postgresql://", "postgresql://", true },
	{ "postgresql://u@h:1,i:2/d", "postgresql://u@h:1,i:2/d", true },
	{ "postgres://u:secret@h/d", "postgres://u:***@h/d", true },
	{ "postgresql://u:s%40cret@/d?host=/run", "postgresql://u:***@/d?host=/run", true },
	{ "postgresql://h/d?password=secret&application_name=x", "postgresql://h/d?password=***&application_name=x",
	    true },
	{ "postgresql://h/d?sslkey=/k&sslpassword=secret", "postgresql://h/d?sslkey=/k&sslpassword=***", true },
	{ "postgresql://u:s@cret@h/d", "postgresql://u:***@h/d", false },
	{ "postgresql://u:s/ecret@h/d", "postgresql://u:***@h/d", false },
	{ "postgresql://u:secret@h/d?nonsense=1", "postgresql://u:***@h/d?nonsense=1", false },
	{ "postgresql://u:s%zecret@h/d", "postgresql://u:***@h/d", false },
	{ "postgresql://u:secret@h:port/d", "postgresql://u:***@h:port/d", false },
};

START_TEST(no_password_is_shown)
{
	char shown[STORE_URL_SHOWN];
	struct err e = { 0 };

	ck_assert_int_eq(store_check_url(urls[_i].url, &e), urls[_i].valid ? 0 : -1);
	ck_assert_ptr_null(strstr(e.detail, "ecret"));
	ck_assert_int_eq(e.code, urls[_i].valid ? ERR_NONE : ERR_BAD_PARAMETER);
	ck_assert_str_eq(store_show_url(urls[_i].url, shown), urls[_i].shown);
}
END_TEST

START_TEST(a_long_url_is_cut)
{
	char url[2000] = "postgresql://u:secret@", shown[STORE_URL_SHOWN];

	memset(url + strlen(url), 'h', sizeof(url) - strlen(url) - 1);
	ck_assert_uint_eq(strlen(store_show_url(url, shown)), sizeof(shown) - 1);
	ck_assert_ptr_null(strstr(shown, "secret"));
	ck_assert_str_eq(store_show_url("sqlite:a:b@c", shown), "sqlite:a:b@c");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("pg_url");
	TCase *t = tcase_create("pg_url");

	tcase_add_loop_test(t, no_password_is_shown, 0, COUNT(urls));
	tcase_add_test(t, a_long_url_is_cut);
	suite_add_tcase(s, t);
	return s;
}
