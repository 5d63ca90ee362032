/* SPDX-License-Identifier: MIT */
/*
 * Socket activation (sd_listen_fds(3), without libsystemd): systemd listens, and passes the socket to each normd that
 * it starts. It goes on listening when normd stops, so clients that come in between wait for the next one in the
 * backlog.
 */
#pragma once

#include "base/err.h"
#include "server/value.h"

/*
 * Takes the listening socket that was passed to this process: *listener, non-blocking; -1 if there is none. `listen` is
 * the address that the configuration names, which must be the socket's; NULL: it names none. -1 with `e`, whose detail
 * is for the operator, for several sockets and for one that normd cannot serve. Before the first thread, since it
 * removes the environment variables.
 */
int activation_take(const struct value_address *listen, int *listener, struct err *e) MUST_CHECK;
