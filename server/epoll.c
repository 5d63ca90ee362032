/* SPDX-License-Identifier: MIT */
/*
 * Cures for libmicrohttpd (0.9.75 and 1.0.1), at the one place where the program can reach into its loops: the system
 * calls that they make.
 *
 * MHD_epoll takes events 128 at a time and, when it got as many as it asked for, asks for more before it handles any,
 * and with the timeout of its first call. Where exactly 128 were ready it so sleeps, up to a minute, on 128 connections
 * with unread requests. A batch that is never full is always handled at once, and what was left in the kernel comes
 * with the next.
 *
 * MHD_quiesce_daemon and a loop that just turns both remove the listening socket from the loop's set, and whoever comes
 * second aborts the process. Here what is gone already counts as removed.
 *
 * It waits for edges, and takes a read of fewer bytes than it asked for as the end of what was there. An end of the
 * client's side that came with those bytes makes no further edge: the connection would stay, until its idle timeout. So
 * epoll is asked for such ends too (EPOLLRDHUP), and after a short read of a connection that has ended the descriptor
 * is armed anew, which reports the end once more.
 *
 * It reads first from a connection that is resumed, and closes it when it finds the end of the client's side, also if
 * the client waits for the answer to a whole request. A connection that is suspended is not in the epoll set, and is
 * put back only when it is read from and there is nothing. So until then an end is not told; epoll will report it as
 * soon as the connection is back, when all requests before the end have their answers.
 */
#include "server/epoll.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/stream.h"

/* The connection, which is this loop's, has ended. Only connections are waited for with EPOLLRDHUP (epoll_ctl). */
static void
note_end(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct stream *s = info == NULL ? NULL : stream_of(info->connect_fd);

	if (s != NULL)
		s->ended = true;
}

int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	int n = epoll_pwait(epfd, events, maxevents > 1 ? maxevents - 1 : maxevents, timeout, NULL);

	for (int i = 0; i < n; i++)
		if ((events[i].events & EPOLLRDHUP) != 0)
			note_end(events[i].data.ptr);
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

static bool
is_called(const char *name, const void *ours)
{
	return dlsym(RTLD_DEFAULT, name) == ours;
}

bool
epoll_is_ours(void)
{
	int (*wait)(int, struct epoll_event *, int, int) = epoll_wait;
	int (*ctl)(int, int, int, struct epoll_event *) = epoll_ctl;
	void *ours[2];

	memcpy(&ours[0], &wait, sizeof(ours[0]));
	memcpy(&ours[1], &ctl, sizeof(ours[1]));
	return is_called("epoll_wait", ours[0]) && is_called("epoll_ctl", ours[1]);
}
