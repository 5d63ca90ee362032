/* SPDX-License-Identifier: MIT */
/* What libmicrohttpd itself does not do, or does too much of. */
#pragma once

#include <stdbool.h>

/*
 * Cuts the query off the target that MHD_OPTION_URI_LOG_CALLBACK got, in libmicrohttpd's memory: otherwise
 * libmicrohttpd makes a record for each parameter, and without memory for that it neither answers nor ends the request.
 */
void library_hide_query(const char *target);

/* Drops what the client has sent, up to a limit: a close with unread bytes is a reset that may lose the answer. */
void library_discard_unread(int fd);

/*
 * Whether libmicrohttpd calls normd's functions in the place of libc's and of GnuTLS's (intake.c, epoll.c,
 * tls_session.c). If not, warns: normd serves, with faults.
 */
bool library_calls_ours(void);
