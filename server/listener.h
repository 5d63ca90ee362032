/* SPDX-License-Identifier: MIT */
/* The listening socket. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/*
 * Binds and listens on host:port; port "0" picks a free one. Returns the non-blocking socket, or -1 with `e`, whose
 * detail is for the operator.
 */
int listener_open(const char *host, const char *port, struct err *e) MUST_CHECK;

/*
 * Drops packets that begin a connection, so that the backlog can be emptied before the socket is closed, which would
 * reset the connections in it. New clients get no reply, and are refused when their kernel asks again after the close.
 * Clients in the middle of their handshake take themselves for connected and may have sent a request: they still get
 * into the backlog.
 */
void listener_freeze(int listener);

/* The numeric address that it is bound to, and its port. An empty address, and port 0, if it has none. */
#define LISTENER_HOST_BYTES 64
unsigned listener_bound(int listener, char host[LISTENER_HOST_BYTES]);

/* Whether it is bound to one of the addresses of `host`, at `port` ("0": any). */
bool listener_is_at(int listener, const char *host, const char *port);

/* Whether a connection waits to be accepted. */
bool listener_has_waiting(int listener);

/* Whether only this machine can connect to it. */
bool listener_is_loopback(int listener);

/* Whether that holds for the addresses of a host, to which nothing is bound. 1, 0, or -1 with `e`: it has none. */
int listener_names_loopback(const char *host, struct err *e) MUST_CHECK;

/* Whether the port could be written to a file, outside the sandbox. Changes nothing. */
int listener_check_port_file(const char *path, struct err *e) MUST_CHECK;

/* Writes the port to a file that was checked, whole or not at all. */
int listener_write_port(const char *path, unsigned port, struct err *e) MUST_CHECK;
