/* SPDX-License-Identifier: MIT */
/*
 * Requests that libmicrohttpd would answer by itself, or not at all.
 *
 * It refuses a head that does not fit, and a line or a chunk that it cannot read, in HTML and without the handler. It
 * calls MHD_queue_response through the dynamic linker, which finds the function of library.c: that sends a problem
 * document instead, and the request gets its log line. A libmicrohttpd that calls its own functions directly, as that
 * of Ubuntu 24.04, keeps its HTML pages.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

/* The function of libmicrohttpd. */
enum MHD_Result
library_queue_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);

/*
 * Cuts the query off the target that MHD_OPTION_URI_LOG_CALLBACK got, in libmicrohttpd's memory: otherwise
 * libmicrohttpd makes a record for each parameter, and without memory for that it neither answers nor ends the request.
 */
void library_hide_query(const char *target);

/* Drops what the client has sent, up to a limit: a close with unread bytes is a reset that may lose the answer. */
void library_discard_unread(int fd);

/*
 * Whether libmicrohttpd calls normd's functions in the place of its own and libc's (intake.c, epoll.c, lookup.c,
 * library.c). If not, warns: normd serves, with faults.
 */
bool library_calls_ours(void);
