/* SPDX-License-Identifier: MIT */
/* The listening socket. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Binds and listens on host:port; port "0" picks a free one. Returns the non-blocking socket and sets *port, or -1 with
 * `e`, whose detail is for the operator.
 */
int listener_open(const char *host, const char *port, unsigned *bound_port, struct err *e) MUST_CHECK;

/*
 * Begins no connection any more, so that the queue of those that wait to be accepted can be emptied before the socket
 * is closed, which would reset who waits in it. Who connects from now on gets no reply, and is refused when its kernel
 * asks again after the close. Who has had its reply already takes itself for connected, and may have sent a request: it
 * comes into the queue when the last packet of its handshake does.
 */
void listener_freeze(int listener);

/* Whether a connection waits to be accepted. */
bool listener_has_waiting(int listener);

/* Whether nobody but this machine can connect to it. */
bool listener_is_loopback(int listener);

/* Writes the port to a file, whole or not at all. */
int listener_write_port(const char *path, unsigned port, struct err *e) MUST_CHECK;

#endif
