/* SPDX-License-Identifier: MIT */
/*
 * The memory of a connection, and how much of it a request's head may use.
 *
 * libmicrohttpd keeps one block of memory for each connection. The request's head, a record for each header, the bytes
 * read ahead, and the answer's head share it. If the answer's head does not fit, libmicrohttpd closes the connection
 * without an answer. So normd refuses larger heads, and requests that leave too little room (server/intake.h).
 * libmicrohttpd clears the whole block after each request: a larger block makes every request slower.
 */
#pragma once

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

/*
 * What it costs more under TLS. Measured with GnuTLS 3.7: 11 kB when it is idle, 34 kB in a record whose last byte is
 * missing, and 16 kB more if the client does not take a record. It seldom uses all that CONNECTION_BYTES has as well.
 */
#define CONNECTION_TLS_BYTES ((size_t)32 << 10)

/*
 * The request line and the headers, with the line ends. libmicrohttpd reads to half of the memory, and to little more
 * while a head is incomplete: the records of so many headers always find room behind.
 */
#define HEAD_BYTES_MAX ((size_t)8000)
#define HEAD_FIELDS_MAX 100u

/* The trailers after a chunked body; a chunk's size with its extensions. */
#define ASIDE_BYTES_MAX ((size_t)1024)

/* A record of libmicrohttpd for a header or a trailer: struct MHD_HTTP_Header, rounded up. */
#define HEADER_RECORD_BYTES ((size_t)64)

/* The longest origin, which answers repeat: a host of 253 characters, a scheme and a port. */
#define ORIGIN_BYTES_MAX ((size_t)300)

/*
 * The longest head of an answer: every header with its longest value. A Location has two names of 128 characters; an
 * answer to another origin's page repeats the origin and lists the headers that the page may read.
 */
#define ANSWER_HEAD_BYTES_MAX ((size_t)1000 + 300 + ORIGIN_BYTES_MAX)
