/* SPDX-License-Identifier: MIT */
/* How libmicrohttpd reads: what recv gives it, when it is to come again, and what it never gets. */
#include "server/intake.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/stream.h"
#include "tests/unit/unit.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define CHUNKED "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* A connection between two sockets, the first of which is read from as libmicrohttpd does. */
struct pair {
	int epfd, ours, theirs;
	struct stream stream;
	char bytes[128];
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
}

static void
pair_close(struct pair *p)
{
	stream_assign(p->ours, NULL);
	close(p->ours);
	close(p->theirs);
	close(p->epfd);
}

static void
pair_send(struct pair *p, const char *text)
{
	ck_assert_int_eq(send(p->theirs, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* Whether epoll reports bytes since the last time. */
static bool
pair_is_reported(struct pair *p)
{
	struct epoll_event event;

	return epoll_pwait(p->epfd, &event, 1, 0, NULL) == 1;
}

/* A read of at most `room` bytes gives this text. */
static void
reads(struct pair *p, size_t room, const char *text)
{
	const ssize_t n = recv(p->ours, p->bytes, room, 0);

	ck_assert_msg(n == (ssize_t)strlen(text) && memcmp(p->bytes, text, strlen(text)) == 0, "%zd: %.*s", n,
	    n < 0 ? 0 : (int)n, p->bytes);
}

static void
fails(struct pair *p, size_t room, int code)
{
	ck_assert_int_eq(recv(p->ours, p->bytes, room, 0), -1);
	ck_assert_int_eq(errno, code);
}

START_TEST(a_fault_ends_the_head)
{
	struct pair p;

	pair_open(&p);
	pair_send(&p, "GET / HTTP/1.1\nHost: a");
	reads(&p, 22, "GET / HTTP/1.1\r\nHost:\r"); /* more than came of it, and the room is full */
	pair_send(&p, "\r\n\r\n" GET);
	reads(&p, 22, "\n\r\n");
	fails(&p, 22, EAGAIN);
	fails(&p, 22, EAGAIN);
	pair_close(&p);
}
END_TEST

START_TEST(reading_stops)
{
	struct pair p;

	pair_open(&p);
	pair_send(&p, GET);
	intake_stop_reading(&p.stream.intake);
	fails(&p, sizeof(p.bytes), EINTR);
	intake_end_request(&p.stream.intake);
	reads(&p, sizeof(p.bytes), GET);
	fails(&p, sizeof(p.bytes), EAGAIN);
	pair_close(&p);
}
END_TEST

/* libmicrohttpd takes a short read as the end of what was there. */
START_TEST(what_is_left_is_reported_again)
{
	struct pair p;

	pair_open(&p);
	pair_send(&p, "\r\n\r\n" GET);
	ck_assert(pair_is_reported(&p));
	ck_assert(!pair_is_reported(&p));
	fails(&p, 2, EINTR);
	reads(&p, 8, "GET / ");
	ck_assert(pair_is_reported(&p));
	reads(&p, sizeof(p.bytes), &GET[6]);
	ck_assert(!pair_is_reported(&p));
	pair_close(&p);
}
END_TEST

START_TEST(a_size_comes_with_its_end)
{
	struct pair p;

	pair_open(&p);
	pair_send(&p, CHUNKED "1");
	reads(&p, sizeof(p.bytes), CHUNKED);
	fails(&p, sizeof(p.bytes), EAGAIN);
	pair_send(&p, "f;a");
	fails(&p, sizeof(p.bytes), EINTR);
	fails(&p, sizeof(p.bytes), EAGAIN);
	pair_send(&p, "\r\nabc");
	reads(&p, sizeof(p.bytes), "00000000000000001f\r\nabc");
	pair_close(&p);
}
END_TEST

START_TEST(what_follows_a_request)
{
	static const struct {
		const char *pieces[3];
		bool more;
	} cases[] = {
		{ { NULL }, false },
		{ { GET }, false },
		{ { GET "\r\n" }, false },
		{ { GET "G" }, true },
		{ { GET "GET / HTTP/1.1\r\n" }, true },
		{ { GET GET }, false },
		{ { "GET / HTTP/1.1\r\nHost: a\r\n\r", "\n" }, false },
		{ { "GET / HTTP/1.1\r\nHost: a\r\n\r", "\nG" }, true },
		{ { "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", "bc" }, false },
		{ { "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", "bcGET /" }, true },
		{ { CHUNKED "3\r\nabc\r\n0\r\n", "\r\n" }, false },
		{ { CHUNKED "3\r\nabc\r\n0\r\n", "\r\nGE" }, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pair p;

		pair_open(&p);
		for (size_t k = 0; cases[i].pieces[k] != NULL; k++) {
			pair_send(&p, cases[i].pieces[k]);
			(void)!recv(p.ours, p.bytes, sizeof(p.bytes), 0);
		}
		ck_assert_msg(intake_holds_more(&p.stream.intake) == cases[i].more, "case %zu", i);
		pair_close(&p);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("intake");
	TCase *t = tcase_create("intake");

	tcase_add_test(t, a_fault_ends_the_head);
	tcase_add_test(t, reading_stops);
	tcase_add_test(t, what_is_left_is_reported_again);
	tcase_add_test(t, a_size_comes_with_its_end);
	tcase_add_test(t, what_follows_a_request);
	suite_add_tcase(s, t);
	return s;
}
