/* SPDX-License-Identifier: MIT */
/*
 * From a reply, or an error, to libmicrohttpd's response. An answer belongs to its exchange: the event loop of the
 * connection uses it, and reads it after the response was queued.
 */
#pragma once

#include <microhttpd.h>

#include "codec/coding.h"
#include "codec/form.h"
#include "handlers/request.h"
#include "server/problem.h"
#include "server/range.h"

/* Bytes that stand somewhere, and how many of them were taken. */
struct answer_piece {
	const char *bytes;
	size_t len;
	size_t taken;
};

/*
 * Where the writing of an answer stands; it must live until the exchange ends. In any form an answer is text, the
 * values of a tensor, text, and so on; behind the last tensor it is text and the tail.
 */
struct answer {
	const struct reply *reply;        /* the request's */
	size_t turn;                      /* whose of its parts it is; their number: none is left */
	struct answer_piece text;         /* before that part, or behind the last */
	struct answer_piece values;       /* of the part, where they are sent as they lie in memory */
	struct json_tensor_cursor cursor; /* in the part, where they are written as text */
	struct answer_piece tail;
	struct coding_encoder *encoder;    /* NULL: no coding */
	const struct reply_source *source; /* the answer, where it is a byte stream; the request's */
	struct range range;                /* what is sent of it */
	uint64_t sent;                     /* bytes of body */

	/* What was written aside and is handed out first; it lies in one of the two. */
	struct answer_piece written;
	struct buf begun; /* an answer that was to be made at once, as far as there was memory */
	char number[JSON_TENSOR_ROOM + 64];

	struct budget_share memory; /* of the encoder, what is written aside, and libmicrohttpd's block */
};

/* What the memory of every answer is: a few words, whole. Paid with the connection (server/crowd.c). */
#define ANSWER_CREDIT_BYTES ((size_t)6 * 1024)

/* Makes the answer empty. Its memory is asked for from `memory`. */
void answer_init(struct answer *a, struct budget *memory);

/* How the client wants the answer, and what is said beside it. */
struct answer_wishes {
	enum coding coding;
	bool coding_must;       /* no coding is not acceptable */
	const char *allow;      /* the methods of the route, for Allow; "": it is not said */
	const char *request_id; /* for X-Request-Id and problems */
	const char *target;     /* for problems */
	struct range_wishes range;
};

/*
 * Takes the memory for a coding that the client insists on, while its request can still be refused for want of it:
 * overloaded.
 */
int answer_reserve(struct answer *a, const struct answer_wishes *wishes, struct err *e);

/* Chooses what to send of a byte stream. Sets rq->err where it has no such range: range_not_satisfiable. */
void answer_choose_range(struct answer *a, struct request *rq, const struct answer_wishes *wishes);

/*
 * The response for the request as it stands: its error, or its reply, with Content-Length where the length is known
 * beforehand. Sets *status. NULL: no memory; for a reply that is complete, libmicrohttpd alone has none. `a` must be
 * given back by answer_fini in any case.
 */
struct MHD_Response *answer_make(
    struct answer *a, const struct request *rq, const struct answer_wishes *wishes, unsigned *status) MUST_CHECK;

/* A problem_add that adds to a response; false: no memory. */
bool answer_add_header(void *response, const char *name, const char *value);

/* The response for an error alone, with *bytes of body. NULL: no memory. Any thread. */
struct MHD_Response *answer_make_error(const struct problem *p, uint64_t *bytes) MUST_CHECK;

/* Gives the answer's memory back and leaves it empty. */
void answer_fini(struct answer *a);

/*
 * A response that says `overloaded` to anybody and ends the connection, which gives its memory back. It is made at the
 * start, for when there is no memory for another. NULL: no memory.
 */
struct MHD_Response *answer_make_exhausted(void) MUST_CHECK;
