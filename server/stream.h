/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd has read of each connection. Its calls of epoll and recv pass through epoll.c and intake.c, which
 * shows whether bytes of the next request came with a request, and whether the client has ended its side.
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

	uint64_t delivered; /* bytes, to libmicrohttpd */
	uint64_t body_end;  /* of these, up to the last byte of a body that was seen in its place */
	const char *end;    /* of the last ones, in libmicrohttpd's buffer */
	char tail[3];       /* the last ones */

	struct tls_session tls;
	uint64_t wire;  /* under TLS: bytes that were read of the socket */
	uint64_t whole; /* of these, up to the end of the last record that was delivered */
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

/* `len` bytes, more than none, were read to `bytes`. */
void stream_deliver(struct stream *s, const char *bytes, size_t len);

/* A piece of a body ends at `end`, in the buffer that the last bytes were read to. */
void stream_body_ends(struct stream *s, const char *end);

/*
 * When a request has ended: whether bytes of the next one were delivered. A request ends with an empty line, of its
 * head or after its chunks, or with the last byte of its body. Bytes of another head end so only if that head is
 * complete.
 */
bool stream_holds_more(const struct stream *s);
