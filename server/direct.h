/* SPDX-License-Identifier: MIT */
/*
 * An error's answer written to the socket by the program itself, for a connection whose memory has no room for an
 * answer's head.
 */
#ifndef SERVER_DIRECT_H
#define SERVER_DIRECT_H

#include <stdint.h>

#include "base/err.h"

struct MHD_Connection;

/*
 * Sends the error as a whole answer that ends the connection, and reads what the client has sent beyond the head; the
 * handler must then return MHD_NO. Nothing may have been answered to this request, nor be stored. Never waits: a client
 * that does not take earlier answers may get it in part. Returns the bytes of the problem document.
 */
uint64_t
direct_answer(struct MHD_Connection *connection, const char *method, const struct err *e, const char *request_id);

/*
 * Likewise for what a client sends in a request's place and libmicrohttpd would drop without an answer; with its line
 * in the log. The connection must then be ended: its bytes are read and dropped. Nothing else may be waiting for an
 * answer there.
 */
void direct_refuse_line(int fd, const char *problem);

#endif
