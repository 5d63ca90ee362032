/*
 * Two cures for libmicrohttpd (0.9.75, daemon.c), at the one place where the program can reach into its loops.
 *
 * MHD_epoll takes events 128 at a time and, when it got as many as it asked for, asks for more before it handles any, and with the
 * timeout of its first call. Where exactly 128 were ready it so sleeps, up to a minute, on 128 connections with unread requests. A batch
 * that is never full is always handled at once, and what was left in the kernel comes with the next.
 *
 * MHD_quiesce_daemon and a loop that just turns both remove the listening socket from the loop's set, and whoever comes second aborts
 * the process. Here what is gone already counts as removed.
 */
#include "server/epoll.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	return epoll_pwait(epfd, events, maxevents > 1 ? maxevents - 1 : maxevents, timeout, NULL);
}

int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	int rc = (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);

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
