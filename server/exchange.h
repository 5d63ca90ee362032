/* SPDX-License-Identifier: MIT */
/*
 * One HTTP request on libmicrohttpd's side, from its first byte to the log line. An exchange feeds the request its
 * body, suspends the connection while the store works, and writes the answer as the socket drains. The functions are
 * libmicrohttpd's callbacks, on the connection's event loop.
 */
#pragma once

#include <microhttpd.h>

/* MHD_OPTION_URI_LOG_CALLBACK: makes the exchange, with the target as it was received. `arg` is the struct server. */
void *exchange_begin(void *arg, const char *target, struct MHD_Connection *connection);

/* The access handler. */
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **context);

/* MHD_OPTION_NOTIFY_COMPLETED: the exchange ends. */
void exchange_end(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how);

/*
 * MHD_OPTION_NOTIFY_CONNECTION: a connection begins or ends, and with it the exchange of which libmicrohttpd did not
 * tell. `arg` is the struct server, and the context is the connection's record (server/connections.h).
 */
void
exchange_notify(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what);
