/* SPDX-License-Identifier: MIT */
/*
 * Headers of an answer that libmicrohttpd is given as one. It makes three allocations for each header that it is given,
 * and frees them one by one: seven headers took an eighth of the instructions of a small request in user space.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_HEADERS_MAX 12
#define ANSWER_HEADERS_BYTES 512

struct answer_headers {
	struct MHD_Response *response; /* gets those for which there is no room here by themselves */
	const char *first;             /* the first header's name; NULL: there is none yet */
	size_t len;
	size_t count;                    /* of ends of lines */
	size_t ends[ANSWER_HEADERS_MAX]; /* where in the text they will be */
	char text[ANSWER_HEADERS_BYTES]; /* the first header's value, and all lines after it, apart by two blanks */
};

/* Makes `h` empty, for headers of `response`, which has none yet. */
void answer_headers_init(struct answer_headers *h, struct MHD_Response *response);

/* Adds a header. The name is kept. An end of a line in the value makes answer_headers_put fail. */
void answer_headers_add(struct answer_headers *h, const char *name, const char *value);

/* Adds a header with a whole number, perhaps in quotes. */
void answer_headers_add_number(struct answer_headers *h, const char *name, uint64_t number, bool quoted);

/* Gives the headers to the response. False: no memory. */
bool answer_headers_put(struct answer_headers *h);
