/* SPDX-License-Identifier: MIT */
/*
 * Heads that libmicrohttpd lets through and that must not be: request smuggling begins with framing that two parties
 * read differently.
 */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct head;
struct headers;

/*
 * The value for MHD_OPTION_STRICT_FOR_CLIENT: since 1.0 libmicrohttpd itself refuses folded lines, bare CR and LF, and
 * NUL.
 */
int guard_strictness(void);

/* Whether a text is a token, as names of headers and methods are (RFC 9110, section 5.6.2). */
bool guard_is_token(const char *text, size_t len);

/*
 * Looks over the request line and all headers (RFC 9110, RFC 9112). Names are tokens; values hold no control
 * characters; the target holds neither blanks nor control characters nor bytes beyond ASCII; no line is folded or ends
 * in anything but CR LF; on HTTP/1.1 there is exactly one Host; at most one Origin, Idempotency-Key, Content-Type and
 * Content-Encoding; at most one Content-Length, all digits; at most one Transfer-Encoding, which is "chunked", on
 * HTTP/1.1, and without Content-Length. bad_parameter otherwise: answer it at once and close the connection. `headers`,
 * zeroed before, gets what normd reads of them, in either case.
 */
int guard_head(const struct head *h, struct headers *headers, struct err *e) MUST_CHECK;

#endif
