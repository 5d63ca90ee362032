/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd has read of each connection. Its calls of epoll and recv pass through epoll.c and intake.c, which
 * shows how far the client's bytes were read, and whether the client has ended its side.
 *
 * A connection's stream is its event loop's alone, but for what connection_enter publishes (connections.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "server/intake.h"
#include "server/tls_session.h"

struct stream {
	/* Its place in the loop's epoll set. */
	int epfd;
	struct epoll_event event;
	bool in_set;
	bool ended; /* epoll said that the client has ended its side: no bytes come after those that wait */
	bool wake;  /* it is to be read from once it is writable */

	struct intake intake;

	struct tls_session tls;
	uint64_t wire;  /* bytes that were read of the socket */
	uint64_t whole; /* of these, under TLS, up to the end of the last record that was read */
};

/* From now on the descriptor is this connection's; with NULL it is nobody's. */
void stream_assign(int fd, struct stream *s);

/* The stream of a connection; NULL for any other descriptor. */
struct stream *stream_of(int fd);

/*
 * Reads as recv does, for the calls of libmicrohttpd (intake.c) or, under TLS, of GnuTLS. If the client's end came with
 * the bytes, epoll reports it once more; while the connection is not in the epoll set, its end is hidden (EAGAIN).
 */
ssize_t stream_read(int fd, void *bytes, size_t room, int flags);

/*
 * Whether epoll's next report that the connection is writable counts as one that it is readable, or not any more
 * (epoll.c).
 */
void stream_wake_when_writable(struct stream *s, bool wake);

/* Whether there may be such a connection. */
bool stream_any_wakes(void);

/* The bytes of the socket that libmicrohttpd has seen. */
uint64_t stream_consumed(const struct stream *s);
