/* SPDX-License-Identifier: MIT */
/*
 * Where libmicrohttpd would answer a request by itself, or not at all.
 *
 * A head that does not fit, and a line or a chunk that it cannot read, it refuses in HTML, without the handler. It
 * calls MHD_queue_response for that by way of the dynamic linker, and so finds the one of library.c: the answer becomes
 * a problem document, and the request's log line knows of it.
 */
#ifndef SERVER_LIBRARY_H
#define SERVER_LIBRARY_H

#include <microhttpd.h>
#include <stdbool.h>

/* The function of libmicrohttpd. */
enum MHD_Result
library_queue_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);

/*
 * The target as MHD_OPTION_URI_LOG_CALLBACK has it, in libmicrohttpd's memory, is not needed any more: its query is cut
 * off, so that libmicrohttpd does not make a record for each of its parameters. Where it has no memory for these it
 * neither answers nor ends the request.
 */
void library_hide_query(const char *target);

/*
 * Reads and drops what the client has sent, up to a bound: a close with unread bytes is a reset, in which the answer
 * may be lost.
 */
void library_discard_unread(struct MHD_Connection *connection);
void library_discard_unread_of(int fd);

/* Whether libmicrohttpd calls the MHD_queue_response of library.c. */
bool library_is_ours(void);

#endif
