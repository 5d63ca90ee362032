/* SPDX-License-Identifier: MIT */
/*
 * Where libmicrohttpd looks for the headers that it reads itself, before the handler sees the head: Content-Length,
 * Transfer-Encoding, Host, Cookie and Expect. Its calls come here instead (MHD_lookup_connection_value_n is defined
 * here).
 */
#ifndef SERVER_LOOKUP_H
#define SERVER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

/* Whether they do, as where the dynamic linker looks into the program first. */
bool lookup_is_ours(void);

/*
 * A header value's length without the blanks that may follow it (RFC 9110, section 5.5). libmicrohttpd 0.9.75 leaves
 * them.
 */
size_t lookup_trim(const char *value, size_t len);

#endif
