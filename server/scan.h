/* SPDX-License-Identifier: MIT */
/*
 * What a client sends, line by line, as it arrives and before libmicrohttpd changes it. This is the one look at the
 * lines of heads, at the framing headers and at what stands between chunks: what is wrong there stops the scan, and
 * what the scan accepts, others need not check again (server/lookup.c, server/guard.h).
 *
 * Later it would be too late. libmicrohttpd 0.9.75 takes a bare LF for a line's end; it appends a folded line to the
 * name of the header before it; it takes a NUL for the end of a text, and a line that begins with NUL or with a colon
 * for the end of the head. In what it hands out none of that can be seen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_LINE_BYTES 64

/* A connection's. Zeroed, it is at a connection's beginning. */
struct scan {
	enum {
		SCAN_BEFORE, /* a request */
		SCAN_HEAD,
		SCAN_BODY,
		SCAN_CHUNK_SIZE,
		SCAN_CHUNK,
		SCAN_CHUNK_END,
		SCAN_TRAILERS,
	} state;
	bool chunked;               /* the head says so */
	bool named;                 /* the line, a header's or a trailer's, has a name and a colon so far */
	char last;                  /* byte of the line so far */
	uint32_t request;           /* the one that is scanned, from 1 */
	uint32_t broken;            /* the first whose framing is wrong: nothing is scanned any more; 0: none */
	const char *problem;        /* with it */
	uint64_t length;            /* that the head says */
	uint64_t left;              /* of the body, or of the chunk */
	size_t line_len;            /* of the line so far */
	char line[SCAN_LINE_BYTES]; /* how it begins */
};

/*
 * The next bytes that were received. Extensions of chunks, which nobody here understands, are overwritten by zeros
 * before the size, where the line is there as a whole: libmicrohttpd 1.0.1 takes the end of a line with an extension
 * for the chunk's first byte.
 */
void scan_bytes(struct scan *s, char *bytes, size_t len);
