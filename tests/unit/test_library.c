/* SPDX-License-Identifier: MIT */
/* What stands between libmicrohttpd and the system, or itself: it is called, and reading stops and goes on. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/stream.h"
#include "server/library.h"
#include "tests/unit/unit.h"

START_TEST(the_library_calls_ours)
{
	ck_assert(library_calls_ours());
}
END_TEST

/* A recv that is not libmicrohttpd's, which has no flags, is as any other. */
START_TEST(recv_is_still_recv)
{
	struct stream stream = { .in_set = true };
	char bytes[8] = "";
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(recv(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	stream_assign(pair[0], &stream);
	ck_assert_int_eq(send(pair[1], "abcd", 4, 0), 4);
	ck_assert_int_eq(recv(pair[0], bytes, 2, MSG_PEEK), 2);
	ck_assert_int_eq(recv(pair[0], bytes, sizeof(bytes), 0), 4);
	ck_assert_str_eq(bytes, "abcd");
	close(pair[1]);
	ck_assert_int_eq(recv(pair[0], bytes, sizeof(bytes), 0), 0);
	stream_assign(pair[0], NULL);
	close(pair[0]);
	ck_assert_int_eq(recv(pair[0], bytes, sizeof(bytes), 0), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_query_is_hidden)
{
	static const struct {
		const char *target, *left;
	} cases[] = { { "/", "/" }, { "/a?b=c&d", "/a?" }, { "/?", "/?" }, { "/??a", "/?" }, { "", "" } };
	char copy[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(copy, cases[i].target);
		library_hide_query(copy);
		ck_assert_str_eq(copy, cases[i].left);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("library");
	TCase *t = tcase_create("ours");

	tcase_add_test(t, the_library_calls_ours);
	tcase_add_test(t, recv_is_still_recv);
	tcase_add_test(t, a_query_is_hidden);
	suite_add_tcase(suite, t);
	return suite;
}
