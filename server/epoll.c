/* SPDX-License-Identifier: MIT */
/*
 * Workarounds for faults of libmicrohttpd's event loops (0.9.75 and 1.0.1), in the system calls that they make.
 *
 * Full batches. MHD_epoll takes events 128 at a time. After a full batch it asks for more before it handles any, with
 * the timeout of its first call: with exactly 128 ready connections it sleeps up to a minute. Here no batch is full.
 *
 * The listening socket. MHD_quiesce_daemon and a loop both remove it from the loop's set, and the second of them aborts
 * the process. Here a socket that is gone counts as removed.
 *
 * Ends that come with bytes. The loops wait for edges, and take a short read as the end of what was there. If the
 * client ended its side together with those bytes, no further edge comes, and the connection stays until its idle
 * timeout. So epoll is asked for ends (EPOLLRDHUP), and after such a short read the descriptor is armed again, which
 * reports the end once more.
 *
 * Ends while a client waits. A loop reads from a resumed connection first, and closes it at the end of the client's
 * side even if the client waits for an answer. So the end is hidden (stream_read) until the connection is back in the
 * epoll set; epoll reports it then, when all requests before the end have their answers.
 *
 * Under TLS a handshake may wait until the socket is writable, but libmicrohttpd waits to read; and an end that was
 * hidden may have come inside a record, of which epoll knows nothing. So the next report that the connection is
 * writable is shown as one that it is readable too.
 */
#include <errno.h>
#include <microhttpd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pulse.h"
#include "server/stream.h"

static struct stream *
stream_of_connection(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info == NULL ? NULL : stream_of(info->connect_fd);
}

/* This loop's connection has ended. Only connections are in the set with EPOLLRDHUP (epoll_ctl). */
static void
note_end(struct MHD_Connection *connection)
{
	struct stream *s = stream_of_connection(connection);

	if (s != NULL)
		s->ended = true;
}

/* This loop's connection is writable. Only connections are in the set with EPOLLOUT. */
static void
wake(struct epoll_event *event)
{
	struct stream *s = stream_of_connection(event->data.ptr);

	if (s == NULL || !s->wake)
		return;
	stream_wake_when_writable(s, false);
	event->events |= EPOLLIN;
}

static void
look_at(struct epoll_event *events, int n)
{
	const bool wakes = stream_any_wakes();

	for (int i = 0; i < n; i++) {
		if ((events[i].events & EPOLLRDHUP) != 0)
			note_end(events[i].data.ptr);
		if (wakes && (events[i].events & EPOLLOUT) != 0)
			wake(&events[i]);
	}
}

int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	int n;

	if (!pulse_has())
		pulse_begin("event loop");
	pulse_wait();
	n = epoll_pwait(epfd, events, maxevents > 1 ? maxevents - 1 : maxevents, timeout, NULL);
	pulse_work();
	look_at(events, n);
	return n;
}

int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct stream *s = stream_of(fd);
	struct epoll_event asked;
	int rc;

	if (s != NULL && op == EPOLL_CTL_ADD) {
		asked = *event;
		asked.events |= EPOLLRDHUP;
		event = &asked;
		s->epfd = epfd;
		s->event = asked;
		s->ended = false;
	}
	if (s != NULL)
		s->in_set = op != EPOLL_CTL_DEL;
	rc = (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
	return rc < 0 && op == EPOLL_CTL_DEL && errno == ENOENT ? 0 : rc;
}
