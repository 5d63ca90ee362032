/* SPDX-License-Identifier: MIT */
/* A file of settings: which names and values its lines are, at which number, and what is no line. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MARK "\xef\xbb\xbf"

/* What a text is, as "number:name=value;..." and, for an error, "number!detail". */
static const struct {
	const char *text;
	const char *meaning;
} texts[] = {
	{ "", "" },
	{ MARK, "" },
	{ "\n\r\n  \n# only\n   # comments\n", "" },
	{ "a = 1\nb=2\n", "1:a=1;2:b=2;" },
	{ "a = 1\r\n\r\nb\t=\t2\r\n", "1:a=1;3:b=2;" },
	{ MARK "a = 1", "1:a=1;" },
	{ "  a  =  b c  \n", "1:a=b c;" },
	{ "a = b#c # d\n", "1:a=b#c;" },
	{ "a = b=c\n", "1:a=b=c;" },
	{ "a = \"b # c \" # d\n", "1:a=b # c ;" },
	{ "a = 'b \"c\"'\n", "1:a=b \"c\";" },
	{ "a = \"\"\nb = ''", "1:a=;2:b=;" },
	{ "a = it's\n", "1:a=it's;" },
	{ "a = \xc3\xa4\n", "1:a=\xc3\xa4;" },
	{ "a\n", "1!\"a\" is not a setting; expected NAME = VALUE" },
	{ "\n\na # = 1\n", "3!\"a\" is not a setting; expected NAME = VALUE" },
	{ "[section]\n", "1!\"[section]\" is not a setting; expected NAME = VALUE" },
	{ "a =\nb = 2\n", "1!a has no value; an empty one is written as \"\"" },
	{ "a = # none\n", "1!a has no value; an empty one is written as \"\"" },
	{ "b = 1\n= 2\n", "1:b=1;2!there is no name before the =; expected NAME = VALUE" },
	{ "a = \"b\n\"\n", "1!a has a value whose closing \" is missing" },
	{ "a = 'b' c\n", "1!a has \"c\" after the value's closing quote" },
};

START_TEST(lines)
{
	char text[256], meaning[512] = "";
	size_t used = 0;
	struct err e = { 0 };
	struct config_line line;
	int more;

	snprintf(text, sizeof(text), "%s", texts[_i].text);
	line = config_file_begin(text);
	while ((more = config_file_next(&line, &e)) > 0)
		used += (size_t)snprintf(
		    meaning + used, sizeof(meaning) - used, "%u:%s=%s;", line.number, line.name, line.value);
	if (more < 0)
		snprintf(meaning + used, sizeof(meaning) - used, "%u!%s", line.number, e.detail);
	ck_assert_str_eq(meaning, texts[_i].meaning);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *words; /* NULL: it is a text */
} contents[] = {
	{ "a = 1\n", 6, NULL },
	{ "a\tb\r\n", 5, NULL },
	{ "\xe2\x82\xac", 3, NULL },
	{ "a\nb\0c", 5, ":2: there is a NUL byte; the file must be a text in UTF-8" },
	{ "\xff\xfe"
	  "a\0",
	    4, ":1: this is not UTF-8" },
	{ "a\n\n\xc3", 4, ":3: this is not UTF-8" },
	{ "a\xc0\x80", 3, ":1: this is not UTF-8" },
	{ "\x1b[0m", 4, ":1: there is a control character" },
	{ "\x7f", 1, ":1: there is a control character" },
	{ "a=1\r\n# b\rc=2\r", 13, ":2: there is a carriage return within the line" },
};

START_TEST(contents_of_a_file)
{
	char path[] = "/tmp/normd-test-config-XXXXXX";
	int fd = mkstemp(path), result;
	char *text = NULL;
	struct err e = { 0 };
	FILE *file;

	ck_assert_int_ge(fd, 0);
	file = fdopen(fd, "w");
	ck_assert_uint_eq(fwrite(contents[_i].bytes, 1, contents[_i].len, file), contents[_i].len);
	ck_assert_int_eq(fclose(file), 0);
	result = config_file_read(path, &text, &e);
	remove(path);
	if (contents[_i].words == NULL) {
		ck_assert_int_eq(result, 0);
		ck_assert_uint_eq(strlen(text), contents[_i].len);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_ptr_nonnull(strstr(e.detail, path));
		ck_assert_msg(strstr(e.detail, contents[_i].words) != NULL, "%s", e.detail);
	}
	free(text);
}
END_TEST

/* What is said of a file with a long name still says what is wrong. */
START_TEST(long_names)
{
	char path[1000], shown[CONFIG_FILE_SHOWN];

	memset(path, 'x', sizeof(path) - 1);
	snprintf(path + 900, sizeof(path) - 900, "/normd.conf");
	ck_assert_uint_eq(strlen(config_file_show(path, shown)), sizeof(shown) - 1);
	ck_assert_int_eq(strncmp(shown, "...x", 4), 0);
	ck_assert_str_eq(shown + strlen(shown) - 11, "/normd.conf");
	ck_assert_str_eq(config_file_show("normd.conf", shown), "normd.conf");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("config_file");
	TCase *t = tcase_create("config_file");

	tcase_add_loop_test(t, lines, 0, COUNT(texts));
	tcase_add_loop_test(t, contents_of_a_file, 0, COUNT(contents));
	tcase_add_test(t, long_names);
	suite_add_tcase(suite, t);
	return suite;
}
