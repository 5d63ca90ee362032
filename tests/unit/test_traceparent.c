/* SPDX-License-Identifier: MIT */
/* Which values of the header traceparent are valid. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "server/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define GOOD "00-" TRACE "-" PARENT "-01"

static const char *
copy(const char *text)
{
	static char out[TRACEPARENT_BYTES];

	traceparent_copy(text, 1, out);
	return out;
}

START_TEST(valid_values_are_copied)
{
	ck_assert_str_eq(copy(GOOD), GOOD);
	ck_assert_str_eq(copy("00-" TRACE "-" PARENT "-ff"), "00-" TRACE "-" PARENT "-ff");
	ck_assert_str_eq(copy("01-" TRACE "-" PARENT "-00"), "01-" TRACE "-" PARENT "-00");
	ck_assert_str_eq(copy("cc-" TRACE "-" PARENT "-00-what the future holds"), "cc-" TRACE "-" PARENT "-00");
}
END_TEST

START_TEST(malformed_values_are_left_out)
{
	static const char *const bad[] = { "", "-", "00", GOOD "-", GOOD "0", GOOD " ", " " GOOD,
		"ff-" TRACE "-" PARENT "-01", "01-" TRACE "-" PARENT "-00x",
		"00-00000000000000000000000000000000-" PARENT "-01", "00-" TRACE "-0000000000000000-01",
		"00_" TRACE "-" PARENT "-01", "00-" TRACE "_" PARENT "-01", "00-" TRACE "-" PARENT "_01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", "00-" TRACE "-00F067AA0BA902B7-01",
		"0x-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-0g", "00-" TRACE "-" PARENT,
		"00-" TRACE "-" PARENT "-", "00-" TRACE "-" PARENT "-0",
		"00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-011" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(copy(bad[i])[0] == '\0', "%s", bad[i]);
}
END_TEST

START_TEST(each_byte_counts)
{
	char text[] = GOOD;

	for (size_t i = 0; i < strlen(GOOD); i++) {
		text[i] = 'g';
		ck_assert_msg(copy(text)[0] == '\0', "%s", text);
		text[i] = GOOD[i];
	}
}
END_TEST

START_TEST(none_and_several_are_left_out)
{
	char out[TRACEPARENT_BYTES];

	traceparent_copy(NULL, 0, out);
	ck_assert_str_eq(out, "");
	traceparent_copy(GOOD, 2, out);
	ck_assert_str_eq(out, "");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("traceparent");
	TCase *t = tcase_create("traceparent");

	tcase_add_test(t, valid_values_are_copied);
	tcase_add_test(t, malformed_values_are_left_out);
	tcase_add_test(t, each_byte_counts);
	tcase_add_test(t, none_and_several_are_left_out);
	suite_add_tcase(s, t);
	return s;
}
