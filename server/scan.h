/* SPDX-License-Identifier: MIT */
/*
 * What a client sends, byte by byte, as it arrives and before libmicrohttpd sees it. This is the one look at request
 * lines, at the lines of heads, at the framing headers and at what stands between chunks: what the scan accepts, others
 * need not check again (server/guard.h), and libmicrohttpd (0.9.75, 1.0.0, 1.0.1) never refuses.
 *
 * Later it would be too late. libmicrohttpd 0.9.75 takes a bare LF for a line's end; it appends a folded line to the
 * name of the header before it; it takes a NUL for the end of a text, and a line that begins with NUL or with a colon
 * for the end of the head. In what it hands out none of that can be seen. And what either version refuses by itself, it
 * refuses in HTML, or without an answer, and nobody is told.
 *
 * So libmicrohttpd gets no byte that is wrong. In its place stands an ending: the shortest end of the head or of the
 * body that libmicrohttpd accepts behind the bytes that it has already. What the client sent after it is dropped. The
 * handler is called, and refuses the request for the fault that was found (head_check_lines). A method or a target that
 * never came is "-".
 *
 * Some bytes are legal, but harm libmicrohttpd, and do not reach it:
 *
 *   empty lines before a request    1.0 allows one
 *   values of Cookie                are copied until the connection's memory is full: blanks take their place
 *   blanks behind a framing header  0.9.75 takes them for a part of the value
 *   digits of Content-Length        beyond the 18th: both versions refuse what is beyond 64 bits
 *   extensions of chunks            1.0 takes the end of a line with an extension for the chunk's first byte: the size
 *                                   arrives alone, as a whole, with zeros before it
 *   trailers                        are kept until the request ends; nobody here reads them
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_state {
	SCAN_BEFORE, /* a request */
	SCAN_BEFORE_LF,
	SCAN_METHOD,
	SCAN_TARGET_START,
	SCAN_TARGET,
	SCAN_VERSION,
	SCAN_LINE_LF,
	SCAN_FIELD, /* a header, or the end of the head */
	SCAN_NAME,
	SCAN_VALUE,
	SCAN_VALUE_LF,
	SCAN_HEAD_LF,
	SCAN_BODY,
	SCAN_CHUNK,
	SCAN_CHUNK_CR,
	SCAN_CHUNK_LF,
	SCAN_SIZE,
	SCAN_EXTENSION_START,
	SCAN_EXTENSION,
	SCAN_SIZE_LF,
	SCAN_TRAILER, /* or the end of the body */
	SCAN_TRAILER_NAME,
	SCAN_TRAILER_VALUE,
	SCAN_TRAILER_LF,
	SCAN_END_LF,
	SCAN_STATES
};

enum scan_fault {
	SCAN_MALFORMED, /* with a problem */
	SCAN_VERSION_UNKNOWN,
	SCAN_TOO_LARGE, /* limits.h */
};

/* A header that libmicrohttpd obeys. */
enum scan_header {
	SCAN_OTHER,
	SCAN_HOST,
	SCAN_COOKIE,
	SCAN_LENGTH,
	SCAN_ENCODING,
};

#define SCAN_NAME_BYTES 20
#define SCAN_ENDING_BYTES 32

/* A connection's. Zeroed, it is at a connection's beginning. */
struct scan {
	enum scan_state state;
	uint32_t request; /* the one that is scanned, from 1 */

	/* The first request with a fault: nothing is scanned any more. */
	uint32_t broken; /* 0: none */
	enum scan_fault fault;
	const char *problem;
	char ending[SCAN_ENDING_BYTES];
	size_t ending_at, ending_len; /* what of it was delivered, and all */

	size_t counted; /* bytes of the head; or since the last data of the body, or the last chunk's size */

	/* The head. */
	bool unknown_version; /* libmicrohttpd got HTTP/1 instead */
	bool is_1_1;          /* or later */
	bool has_host, has_length, has_encoding;
	unsigned fields;
	uint64_t length;

	/* The header. */
	enum scan_header header;
	char name[SCAN_NAME_BYTES]; /* the part that came with earlier bytes */
	size_t name_len;
	size_t at;  /* characters of the version or of a framing header's value so far */
	bool ended; /* a blank came behind a framing header's value */

	/* The body. */
	uint64_t left;   /* of it, or of the chunk */
	unsigned digits; /* of the chunk's size that are not zeros before it */
	bool sized;      /* the size has a digit, which was not delivered */
};

/*
 * `len` bytes were received to `bytes` + `gap`. Moves what libmicrohttpd is to get of them to `bytes`, where it has
 * `room` for it, and returns how many bytes that is, which may be 0. The gap must have been scan_gap().
 */
size_t scan_bytes(struct scan *s, char *bytes, size_t gap, size_t len, size_t room);

/* How many bytes before the next ones the scan may need. */
size_t scan_gap(const struct scan *s);

/* What is left of the ending, as far as there is room. */
size_t scan_end(struct scan *s, char *bytes, size_t room);
