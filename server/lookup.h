/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd finds when it looks for the headers that it reads itself: Content-Length, Transfer-Encoding, Host,
 * Cookie and Expect. It looks before the handler sees the head, by MHD_lookup_connection_value_n, which is defined
 * here.
 */
#ifndef SERVER_LOOKUP_H
#define SERVER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

/* Whether libmicrohttpd calls the function of lookup.c. */
bool lookup_is_ours(void);

/* A header value's length without the blanks behind it (RFC 9110, section 5.5), which libmicrohttpd 0.9.75 leaves. */
size_t lookup_trim(const char *value, size_t len);

#endif
