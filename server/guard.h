/* SPDX-License-Identifier: MIT */
/*
 * Heads that must not be let through: request smuggling begins with framing that two parties read differently. What can
 * be seen in a line by itself, and the headers that say where a body ends, are the scan's (server/scan.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct head;
struct headers;

/* How many characters of the text a token has, from its beginning (RFC 9110, section 5.6.2); and whether all. */
size_t guard_token_length(const char *text, size_t len);
bool guard_is_token(const char *text, size_t len);

/*
 * Refuses what scan.h found wrong in the head, and more than one Origin, Idempotency-Key, Content-Type,
 * Content-Encoding or Inference-Header-Content-Length: answer it at once and close the connection. `headers`, zeroed
 * before, gets what normd reads of them, in either case. libmicrohttpd gets to see an Expect only where a body comes.
 */
int guard_head(const struct head *h, struct headers *headers, struct err *e) MUST_CHECK;
