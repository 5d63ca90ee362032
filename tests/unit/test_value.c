/* SPDX-License-Identifier: MIT */
/* Values of settings: what each kind takes, its bounds, and what is said of anything else. */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <string.h>

#include "server/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REFUSED UINT64_MAX

static const char *const colours[] = { "red", "green", "blue", NULL };

/* A number of any kind, or REFUSED. */
static uint64_t
read_number(const struct value_rule *rule, const char *text, struct err *e)
{
	union {
		unsigned number;
		size_t size;
		bool flag;
	} out = { .size = 0 };

	if (rule->parse(rule, text, &out, e) < 0)
		return REFUSED;
	return rule->parse == value_size ? out.size : rule->parse == value_flag ? out.flag : out.number;
}

static const struct value_rule size = { .parse = value_size, .min = 1 };
static const struct value_rule size_or_0 = { .parse = value_size, .min = 0 };
static const struct value_rule when = { .parse = value_time, .min = 2, .max = 864000 };
static const struct value_rule number = { .parse = value_number, .min = 3, .max = 4000000000u };
static const struct value_rule colour = { .parse = value_choice, .choices = colours };
static const struct value_rule flag = { .parse = value_flag };

static const struct {
	const struct value_rule *rule;
	const char *text;
	uint64_t value;
	const char *words; /* of the error */
} cases[] = {
	{ &size, "1", 1, NULL },
	{ &size, "123B", 123, NULL },
	{ &size, "4k", 4000, NULL },
	{ &size, "4kb", 4000, NULL },
	{ &size, "4KiB", 4096, NULL },
	{ &size, "10MB", 10000000, NULL },
	{ &size, "64MiB", 67108864, NULL },
	{ &size, "65536GiB", (uint64_t)1 << 46, NULL },
	{ &size, "65537GiB", REFUSED, "such as 64MiB" },
	{ &size, "0", REFUSED, "is \"0\"; it must be a size such as 64MiB or 2GiB" },
	{ &size, "", REFUSED, "is \"\"; it must be" },
	{ &size, "-1", REFUSED, "size" },
	{ &size, " 1", REFUSED, "size" },
	{ &size, "1 MiB", REFUSED, "size" },
	{ &size, "1TiB", REFUSED, "size" },
	{ &size, "0x10", REFUSED, "size" },
	{ &size, "99999999999999999999999", REFUSED, "size" },
	{ &size_or_0, "0", 0, NULL },
	{ &size_or_0, "x", REFUSED, "or 0" },
	{ &when, "2", 2, NULL },
	{ &when, "90s", 90, NULL },
	{ &when, "15m", 900, NULL },
	{ &when, "24h", 86400, NULL },
	{ &when, "10d", 864000, NULL },
	{ &when, "1", REFUSED, "from 2 to 864000" },
	{ &when, "11d", REFUSED, "from 2 to 864000" },
	{ &when, "99999999999999999999d", REFUSED, "such as 90s" },
	{ &when, "2 m", REFUSED, "such as 90s" },
	{ &when, "2M", REFUSED, "such as 90s" },
	{ &when, "", REFUSED, "is \"\"" },
	{ &number, "3", 3, NULL },
	{ &number, "4000000000", 4000000000u, NULL },
	{ &number, "4000000001", REFUSED, "from 3 to 4000000000" },
	{ &number, "18446744073709551619", REFUSED, "from 3" },
	{ &number, "2", REFUSED, "from 3" },
	{ &number, "3.5", REFUSED, "whole number" },
	{ &number, "+3", REFUSED, "whole number" },
	{ &colour, "red", 0, NULL },
	{ &colour, "blue", 2, NULL },
	{ &colour, "Blue", REFUSED, "is \"Blue\"; it must be red, green or blue; did you mean \"blue\"?" },
	{ &colour, "", REFUSED, "it must be red, green or blue" },
	{ &flag, "true", 1, NULL },
	{ &flag, "yes", 1, NULL },
	{ &flag, "1", 1, NULL },
	{ &flag, "false", 0, NULL },
	{ &flag, "no", 0, NULL },
	{ &flag, "0", 0, NULL },
	{ &flag, "TRUE", REFUSED, "it must be true or false" },
	{ &flag, "", REFUSED, "it must be true or false" },
};

START_TEST(numbers)
{
	struct err e = { 0 };
	uint64_t value = read_number(cases[_i].rule, cases[_i].text, &e);

	ck_assert_msg(value == cases[_i].value, "\"%s\" is %llu", cases[_i].text, (unsigned long long)value);
	ck_assert_int_eq(e.code, value == REFUSED ? ERR_BAD_PARAMETER : ERR_NONE);
	if (value == REFUSED)
		ck_assert_msg(strstr(e.detail, cases[_i].words) != NULL, "%s", e.detail);
}
END_TEST

static const struct {
	const char *text;
	const char *host; /* NULL: refused */
	const char *port;
} addresses[] = {
	{ "127.0.0.1:8080", "127.0.0.1", "8080" },
	{ "[::1]:0", "::1", "0" },
	{ "::1:80", "::1", "80" },
	{ "localhost:065535", "localhost", "65535" },
	{ "localhost:65536", NULL, "names a port that is \"65536\"; it must be a whole number from 0 to 65535" },
	{ "localhost:http", NULL, "names a port that is \"http\"" },
	{ "localhost", NULL, "ADDR:PORT" },
	{ ":8080", NULL, "ADDR:PORT" },
	{ "[]:8080", NULL, "ADDR:PORT" },
	{ "localhost:", NULL, "ADDR:PORT" },
	{ "", NULL, "is \"\"; it must be ADDR:PORT" },
};

START_TEST(addresses_in_parts)
{
	struct value_address out;
	struct err e = { 0 };
	int result = value_address(NULL, addresses[_i].text, &out, &e);

	if (addresses[_i].host == NULL) {
		ck_assert_int_eq(result, -1);
		ck_assert_msg(strstr(e.detail, addresses[_i].port) != NULL, "%s", e.detail);
		return;
	}
	ck_assert_int_eq(result, 0);
	ck_assert_str_eq(out.host, addresses[_i].host);
	ck_assert_str_eq(out.port, addresses[_i].port);
}
END_TEST

/* No value is too long for a message, or for its place. */
START_TEST(long_values)
{
	static char text[10000];
	struct value_address address;
	const char *path = NULL;
	struct err e = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	ck_assert_int_eq(value_path(NULL, text, &path, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.detail, "a path has at most 4095 bytes"));
	ck_assert_uint_eq(read_number(&colour, text, &e), REFUSED);
	ck_assert_ptr_nonnull(strstr(e.detail, "it must be red, green or blue"));
	text[256] = ':';
	text[257] = '1';
	text[258] = '\0';
	ck_assert_int_eq(value_address(NULL, text, &address, &e), -1);
	ck_assert_int_eq(value_address(NULL, text + 1, &address, &e), 0);
	ck_assert_uint_eq(strlen(address.host), sizeof(address.host) - 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("value");
	TCase *t = tcase_create("value");

	tcase_add_loop_test(t, numbers, 0, COUNT(cases));
	tcase_add_loop_test(t, addresses_in_parts, 0, COUNT(addresses));
	tcase_add_test(t, long_values);
	suite_add_tcase(suite, t);
	return suite;
}
