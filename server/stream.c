/* SPDX-License-Identifier: MIT */
#include "server/stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "server/limits.h"

/* Descriptors are given out from the lowest: these are more than all connections and all other files. */
#define DESCRIPTORS_MAX 65536
_Static_assert(DESCRIPTORS_MAX >= 2 * CONNECTIONS_MAX, "each connection has its stream");

/* A pointer goes from one loop to another with its descriptor, which the kernel closes and gives out again. */
static _Atomic(struct stream *) streams[DESCRIPTORS_MAX];

/* How many have `wake`, in all loops. */
static atomic_uint wakes;

void
stream_assign(int fd, struct stream *s)
{
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		atomic_store_explicit(&streams[fd], s, memory_order_release);
}

struct stream *
stream_of(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS_MAX ? atomic_load_explicit(&streams[fd], memory_order_acquire) : NULL;
}

void
stream_wake_when_writable(struct stream *s, bool wake)
{
	if (s->wake != wake)
		atomic_fetch_add_explicit(&wakes, wake ? 1 : -1u, memory_order_relaxed);
	s->wake = wake;
}

bool
stream_any_wakes(void)
{
	return atomic_load_explicit(&wakes, memory_order_relaxed) > 0;
}

uint64_t
stream_consumed(const struct stream *s)
{
	return s->tls.session != NULL ? s->whole : s->wire;
}

ssize_t
stream_read(int fd, void *bytes, size_t room, int flags)
{
	struct stream *s = stream_of(fd);
	ssize_t n = recvfrom(fd, bytes, room, flags, NULL, NULL);

	if (s == NULL || n < 0 || room == 0 || (flags & MSG_PEEK) != 0)
		return n;
	if (n == 0 && !s->in_set) {
		errno = EAGAIN;
		return -1;
	}
	s->wire += (size_t)n;
	if (n > 0 && (size_t)n < room && s->ended)
		(void)epoll_ctl(s->epfd, EPOLL_CTL_MOD, fd, &s->event);
	return n;
}
