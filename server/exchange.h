/*
 * One HTTP request on libmicrohttpd's side: from its first byte to the log line. It feeds the request its body, suspends the connection
 * while the store works, and writes the answer as the socket drains. The functions are libmicrohttpd's callbacks.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <microhttpd.h>

/* MHD_OPTION_URI_LOG_CALLBACK: makes the exchange, with the request's target as it was sent. `arg` is the struct server. */
void *exchange_begin(void *arg, const char *target, struct MHD_Connection *connection);

/* The access handler. */
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **context);

/* MHD_OPTION_NOTIFY_COMPLETED: the only place where an exchange is freed. */
void exchange_end(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how);

#endif
