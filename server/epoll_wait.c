/*
 * libmicrohttpd (0.9.75: MHD_epoll in daemon.c) takes events 128 at a time and asks for more when it got as many as it asked for, without
 * having handled any, and with the timeout of its first call. Where exactly 128 were ready it so sleeps, up to a minute, on 128
 * connections with unread requests. A batch that is never full is always handled at once, and what was left in the kernel comes with
 * the next. Its other calls cannot reach this, and a wake-up now and then would only shorten the sleep.
 */
#include "server/epoll_wait.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/epoll.h>

int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	return epoll_pwait(epfd, events, maxevents > 1 ? maxevents - 1 : maxevents, timeout, NULL);
}

bool
epoll_wait_is_ours(void)
{
	int (*ours)(int, struct epoll_event *, int, int) = epoll_wait;
	void *called = dlsym(RTLD_DEFAULT, "epoll_wait");

	return memcmp(&called, &ours, sizeof(called)) == 0;
}
