/* SPDX-License-Identifier: MIT */
/*
 * Suspends and resumes connections: all calls of MHD_suspend_connection and MHD_resume_connection are here.
 *
 * The rule: a connection is suspended once, by its own event loop within the handler, and then resumed once, by the
 * last thread that is done with the request. libmicrohttpd checks neither; suspending twice destroys its lists.
 *
 * A resume takes effect later, when the event loop moves the connection back to those that it serves. Until then
 * libmicrohttpd still calls the handler for chunks of the body that are in its buffer. So only libmicrohttpd's own
 * flag, which the event loop alone writes, tells whether a connection is suspended. A handler that is called while the
 * flag is set must change nothing; it will be called again.
 */
#pragma once

#include <stdbool.h>

struct MHD_Connection;

/* Whether the connection is suspended. Only within the connection's handler, on its event loop. */
bool suspension_holds(struct MHD_Connection *connection);

/* Suspends a connection that is not suspended. Only within the connection's handler, on its event loop. */
void suspension_begin(struct MHD_Connection *connection);

/*
 * Resumes the connection: from any thread, once after each suspension_begin, also before the handler returns. The
 * request then belongs to the event loop.
 */
void suspension_end(struct MHD_Connection *connection);
