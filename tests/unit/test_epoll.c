/* SPDX-License-Identifier: MIT */
/* The epoll that libmicrohttpd's loops call: never a full batch, and nothing is lost; what is gone can be removed. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { BATCH = 128, FDS_MAX = 2 * BATCH };

/*
 * How many events come of `ready` descriptors (edge-triggered, as the library has them) in each call with room for a
 * batch.
 */
static void
wait_twice(int ready, int *first, int *second)
{
	struct epoll_event events[BATCH];
	int epfd = epoll_create1(0), fds[FDS_MAX];

	for (int i = 0; i < ready; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET };

		fds[i] = eventfd(1, 0);
		ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fds[i], &event), 0);
	}
	*first = epoll_wait(epfd, events, BATCH, 0);
	*second = epoll_wait(epfd, events, BATCH, 0);
	for (int i = 0; i < ready; i++)
		close(fds[i]);
	close(epfd);
}

START_TEST(no_batch_is_full)
{
	static const struct {
		int ready, first, second;
	} cases[] = { { 0, 0, 0 }, { 1, 1, 0 }, { 127, 127, 0 }, { 128, 127, 1 }, { 129, 127, 2 }, { 256, 127, 127 } };
	int first, second;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wait_twice(cases[i].ready, &first, &second);
		ck_assert_int_eq(first, cases[i].first);
		ck_assert_int_eq(second, cases[i].second);
	}
}
END_TEST

START_TEST(what_is_gone_is_removed)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(0), fd = eventfd(0, 0);

	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL), 0);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL), 0);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL), 0);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event), -1);
	ck_assert_int_eq(errno, ENOENT);
	close(fd);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL), -1);
	ck_assert_int_eq(errno, EBADF);
	close(epfd);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("epoll");
	TCase *t = tcase_create("cures");

	tcase_add_test(t, no_batch_is_full);
	tcase_add_test(t, what_is_gone_is_removed);
	suite_add_tcase(suite, t);
	return suite;
}
