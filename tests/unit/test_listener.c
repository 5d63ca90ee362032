/* SPDX-License-Identifier: MIT */
/* The listening socket while the daemon drains: nobody new, but who had begun to connect comes in. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listener.h"
#include "tests/unit/unit.h"

/* A kernel sends what was lost again after a second. */
enum { RESENT_MS = 20000 };

static int
listen_anywhere(unsigned *port)
{
	char host[LISTENER_HOST_BYTES];
	struct err e = { 0 };
	int listener = listener_open("127.0.0.1", "0", &e);

	ck_assert_msg(listener >= 0, "%s", e.detail);
	*port = listener_bound(listener, host);
	ck_assert_str_eq(host, "127.0.0.1");
	return listener;
}

/* Sees none of the packets that come for it, when it is deaf. */
static void
set_deaf(int fd, bool deaf)
{
	struct sock_filter drop_all[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { .len = 1, .filter = drop_all };
	int none = 0;

	if (deaf)
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	else
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
}

static int
begin_to_connect(unsigned port, bool deaf)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	set_deaf(fd, true);
	if (!deaf)
		set_deaf(fd, false);
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
	return fd;
}

static bool
comes(int fd, short events, int within_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, within_ms) > 0 && (p.revents & events) != 0;
}

/* The client is deaf to the reply of its first packet, so that the last one is sent when the listener is frozen. */
START_TEST(who_had_begun_to_connect_comes_in)
{
	unsigned port;
	int listener = listen_anywhere(&port), client = begin_to_connect(port, true);

	ck_assert(!comes(client, POLLOUT, 50));
	listener_freeze(listener);
	ck_assert(!listener_has_waiting(listener));
	set_deaf(client, false);
	ck_assert(comes(listener, POLLIN, RESENT_MS));
	ck_assert(listener_has_waiting(listener));
	ck_assert(comes(client, POLLOUT, RESENT_MS));
	close(client);
	close(listener);
}
END_TEST

START_TEST(who_begins_later_does_not)
{
	unsigned port;
	int listener = listen_anywhere(&port), early = begin_to_connect(port, false), late;

	ck_assert(comes(early, POLLOUT, RESENT_MS));
	listener_freeze(listener);
	ck_assert(listener_has_waiting(listener));
	close(accept(listener, NULL, NULL));
	late = begin_to_connect(port, false);
	ck_assert(!comes(listener, POLLIN, 50));
	ck_assert(!listener_has_waiting(listener));
	close(early);
	close(late);
	close(listener);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("listener");
	TCase *t = tcase_create("freeze");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, who_had_begun_to_connect_comes_in);
	tcase_add_test(t, who_begins_later_does_not);
	suite_add_tcase(suite, t);
	return suite;
}
