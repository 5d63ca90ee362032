/* SPDX-License-Identifier: MIT */
/*
 * Errors that normd writes to the socket itself, where the connection's memory has no room for an answer's head, or
 * libmicrohttpd would send none. From the connection's event loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/problem.h"

/*
 * Sends the problem as a whole answer that ends the connection, and reads the rest of what the client has sent; the
 * handler must then return MHD_NO. Nothing may have been answered to this request, or stored. Never waits: a client
 * that does not read earlier answers may get a part. Returns the bytes of the problem document, which an answer to
 * HEAD is sent without.
 */
uint64_t direct_answer(int fd, const struct problem *p, bool with_body);

/*
 * The same, but the rest of the body is left to be read: only what is sent ends. `headers` has further headers, as
 * direct_write_header writes them to a struct buf.
 */
uint64_t direct_answer_ahead(int fd, const struct problem *p, const struct buf *headers, bool with_body);
bool direct_write_header(void *headers, const char *name, const char *value);

/* Answers plain HTTP where the client should speak TLS, and has not begun to. The connection must then be ended. */
void direct_refuse_plain(int fd);
