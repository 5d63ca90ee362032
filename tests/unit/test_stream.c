/* SPDX-License-Identifier: MIT */
/*
 * What is known of a connection from the bytes that are read of it: an end which came with the bytes is reported by
 * epoll, and not told to who reads while the descriptor is not in epoll's set.
 */
#include "server/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/library.h"
#include "tests/unit/unit.h"

/* A pair of sockets of which the first is a connection that an epoll set waits for, as libmicrohttpd does. */
struct pair {
	int epfd, ours, theirs;
	struct stream stream;
};

static void
pair_open(struct pair *p)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fds[2];

	memset(p, 0, sizeof(*p));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->ours = fds[0];
	p->theirs = fds[1];
	p->epfd = epoll_create1(0);
	stream_assign(p->ours, &p->stream);
	ck_assert_int_eq(epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->ours, &event), 0);
	ck_assert(library_calls_ours());
	ck_assert(p->stream.in_set && (p->stream.event.events & EPOLLRDHUP) != 0);
}

static void
pair_close(struct pair *p)
{
	stream_assign(p->ours, NULL);
	close(p->ours);
	close(p->theirs);
	close(p->epfd);
}

/*
 * epoll_pwait rather than epoll_wait, which would look for libmicrohttpd's connection: what was seen there is set here.
 */
static int
wait_once(struct pair *p)
{
	struct epoll_event event;
	int n = epoll_pwait(p->epfd, &event, 1, 0, NULL);

	p->stream.ended = n > 0 && (event.events & EPOLLRDHUP) != 0;
	return n;
}

START_TEST(an_end_with_bytes_is_reported_again)
{
	struct pair p;
	char bytes[16];

	pair_open(&p);
	ck_assert_int_eq(send(p.theirs, "abc", 3, 0), 3);
	ck_assert_int_eq(shutdown(p.theirs, SHUT_WR), 0);
	ck_assert_int_eq(wait_once(&p), 1);
	ck_assert(p.stream.ended);
	ck_assert_int_eq(stream_read(p.ours, bytes, sizeof(bytes), 0), 3);
	ck_assert_int_eq(wait_once(&p), 1); /* the edge that the kernel alone would not give */
	ck_assert_int_eq(stream_read(p.ours, bytes, sizeof(bytes), 0), 0);
	pair_close(&p);
}
END_TEST

START_TEST(an_end_is_not_told_out_of_the_set)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct pair p;
	char bytes[16];

	pair_open(&p);
	ck_assert_int_eq(send(p.theirs, "abc", 3, 0), 3);
	ck_assert_int_eq(shutdown(p.theirs, SHUT_WR), 0);
	ck_assert_int_eq(epoll_ctl(p.epfd, EPOLL_CTL_DEL, p.ours, NULL), 0);
	ck_assert_int_eq(stream_read(p.ours, bytes, sizeof(bytes), 0), 3);
	ck_assert_int_eq(stream_read(p.ours, bytes, sizeof(bytes), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(epoll_ctl(p.epfd, EPOLL_CTL_ADD, p.ours, &event), 0);
	ck_assert_int_eq(wait_once(&p), 1);
	ck_assert_int_eq(stream_read(p.ours, bytes, sizeof(bytes), 0), 0);
	ck_assert_uint_eq(stream_consumed(&p.stream), 3);
	pair_close(&p);
}
END_TEST

/* What is nobody's connection is read as ever. */
START_TEST(other_descriptors)
{
	int fds[2];
	char bytes[16];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_ptr_null(stream_of(fds[0]));
	ck_assert_ptr_null(stream_of(-1));
	ck_assert_ptr_null(stream_of(1 << 30));
	ck_assert_int_eq(stream_read(fds[0], bytes, sizeof(bytes), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(stream_read(-1, bytes, sizeof(bytes), 0), -1);
	ck_assert_int_eq(errno, EBADF);
	close(fds[1]);
	ck_assert_int_eq(stream_read(fds[0], bytes, sizeof(bytes), 0), 0);
	close(fds[0]);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("stream");
	TCase *t = tcase_create("stream");

	tcase_add_test(t, an_end_with_bytes_is_reported_again);
	tcase_add_test(t, an_end_is_not_told_out_of_the_set);
	tcase_add_test(t, other_descriptors);
	suite_add_tcase(s, t);
	return s;
}
