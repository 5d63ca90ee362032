/* SPDX-License-Identifier: MIT */
/*
 * Heads that libmicrohttpd lets through and that must not be: request smuggling begins with framing that two parties
 * read differently.
 */
#pragma once

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

/* How many characters of the text a token has, from its beginning (RFC 9110, section 5.6.2); and whether all. */
size_t guard_token_length(const char *text, size_t len);
bool guard_is_token(const char *text, size_t len);

/*
 * Refuses what scan.h found wrong in the head's lines, and then (RFC 9110, RFC 9112) a target with blanks, control
 * characters or bytes beyond ASCII; on HTTP/1.1 anything but one Host; more than one Origin, Idempotency-Key,
 * Content-Type, Content-Encoding, Content-Length, Inference-Header-Content-Length or Transfer-Encoding; and a
 * Transfer-Encoding on HTTP/1.0 or beside Content-Length. bad_parameter: answer it at once and close the connection.
 * `headers`, zeroed before, gets what normd reads of them, in either case.
 */
int guard_head(const struct head *h, struct headers *headers, struct err *e) MUST_CHECK;
