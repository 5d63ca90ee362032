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
	return s->tls.session != NULL ? s->whole : s->delivered;
}

void
stream_deliver(struct stream *s, const char *bytes, size_t len)
{
	const size_t tail = sizeof(s->tail);

	s->delivered += len;
	s->end = bytes + len;
	if (len < tail)
		memmove(s->tail, s->tail + len, tail - len);
	else
		len = tail;
	memcpy(s->tail + tail - len, s->end - len, len);
}

void
stream_body_ends(struct stream *s, const char *end)
{
	const uintptr_t after = (uintptr_t)s->end - (uintptr_t)end;

	if (after <= s->delivered)
		s->body_end = s->delivered - after;
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
	if (s->tls.session != NULL)
		s->wire += (size_t)n;
	else if (n > 0)
		stream_deliver(s, bytes, (size_t)n);
	if (n > 0 && (size_t)n < room && s->ended)
		(void)epoll_ctl(s->epfd, EPOLL_CTL_MOD, fd, &s->event);
	return n;
}

bool
stream_holds_more(const struct stream *s)
{
	const char *tail = s->tail;
	const bool empty_line = tail[2] == '\n' && (tail[1] == '\n' || (tail[1] == '\r' && tail[0] == '\n'));

	return !empty_line && s->body_end != s->delivered;
}
