/* SPDX-License-Identifier: MIT */
/*
 * Suspending and resuming connections: all calls of MHD_suspend_connection and MHD_resume_connection are here.
 *
 * The rule: a connection is suspended once, by its own event loop within the handler, and then resumed once, by the
 * last thread that is done with the request. libmicrohttpd checks neither. Suspending a connection that is suspended
 * already destroys its lists.
 *
 * A resume takes effect later: the event loop itself moves the connection back to those that it serves. Until then the
 * connection is suspended, whatever the resuming thread has done; and libmicrohttpd still calls the handler for chunks
 * of the body that are in its buffer already. So no flag of ours can tell whether a connection is suspended: only
 * libmicrohttpd's own can, which nobody but the event loop writes. A handler that is called while it is set must leave
 * everything as it is; it will be called again.
 */
#ifndef SERVER_SUSPENSION_H
#define SERVER_SUSPENSION_H

#include <stdbool.h>

struct MHD_Connection;

/* Whether the connection is suspended. Only within the connection's handler, on its event loop. */
bool suspension_holds(struct MHD_Connection *connection);

/*
 * Suspends a connection for which suspension_holds is false. Only within the connection's handler, on its event loop.
 */
void suspension_begin(struct MHD_Connection *connection);

/*
 * Has it resumed: any thread, once after each suspension_begin, also before the handler returns. The request then
 * belongs to the event loop.
 */
void suspension_end(struct MHD_Connection *connection);

#endif
