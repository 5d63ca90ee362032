/* SPDX-License-Identifier: MIT */
/*
 * The memory of a connection, and what a request's head may take of it.
 *
 * libmicrohttpd keeps one piece of memory for each connection. The request's head, a record for each of its headers,
 * what it has read of the body and of later requests, and the answer's head share it. Where the answer's head does not
 * fit any more the connection is closed without an answer. So requests with larger heads are refused, and so are those
 * of which too little memory is left (server/intake.h). libmicrohttpd clears all of this memory after each request:
 * more of it makes every request slower.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stddef.h>

#define CONNECTION_MEMORY_BYTES ((size_t)16 * 1024)

/* The most connections that are ever held, whatever the system allows. */
#define CONNECTIONS_MAX 16384u

/*
 * What a connection costs once it has been used: that memory, all of which libmicrohttpd has touched then, and records:
 * libmicrohttpd's, ours, and the credit that a request has for what is small (asserted in exchange.c).
 */
#define CONNECTION_RECORDS_BYTES ((size_t)18 << 10)
#define CONNECTION_BYTES (CONNECTION_MEMORY_BYTES + CONNECTION_RECORDS_BYTES)

/* The request line and the headers, with the line ends. */
#define HEAD_BYTES_MAX ((size_t)8000)
#define HEAD_FIELDS_MAX 100u

/* Trailers after a chunked body, and extensions of a chunk. */
#define ASIDE_BYTES_MAX ((size_t)1024)

/* A record of libmicrohttpd for a header or a trailer: struct MHD_HTTP_Header, rounded up. */
#define HEADER_RECORD_BYTES ((size_t)64)

/* An origin that may be allowed, which answers repeat: a host of 253 characters, and room for scheme and port. */
#define ORIGIN_BYTES_MAX ((size_t)300)

/*
 * The longest head of an answer: each header that answers have, with its longest value (a Location has two names of 128
 * characters; an answer to another origin's page names the origin, and the headers that the page may read).
 */
#define ANSWER_HEAD_BYTES_MAX ((size_t)900 + 240 + ORIGIN_BYTES_MAX)

#endif
