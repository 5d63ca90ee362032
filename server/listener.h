/* The listening socket. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "base/err.h"

/*
 * Binds and listens on host:port; port "0" picks a free one. Returns the non-blocking socket and sets *port, or -1 with `e`, whose detail is for
 * the operator.
 */
int listener_open(const char *host, const char *port, unsigned *bound_port, struct err *e) MUST_CHECK;

/* Writes the port to a file, whole or not at all. */
int listener_write_port(const char *path, unsigned port, struct err *e) MUST_CHECK;

#endif
