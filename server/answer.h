/* From a reply, or an error, to libmicrohttpd's response. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <microhttpd.h>

#include "codec/coding.h"
#include "codec/json_write.h"
#include "handlers/request.h"

/* Bytes that stand somewhere, and how many of them were taken. */
struct answer_piece {
	const char *bytes;
	size_t len;
	size_t taken;
};

/*
 * Where the writing of an answer stands. It must live until the exchange ends. In any form it is a head, a tensor and a tail; a
 * tensor whose bytes are sent as they are is a piece like the others.
 */
struct answer {
	struct answer_piece head, values, tail;
	const struct tensor *text; /* the tensor that is written as JSON, or NULL */
	struct json_tensor_cursor cursor;
	struct coding_encoder *encoder; /* NULL: no coding */
	uint64_t sent;                  /* bytes of body */
};

/* How the client wants the answer, and what is said beside it. */
struct answer_wishes {
	enum coding coding;
	bool coding_must;       /* no coding is not acceptable */
	const char *target;     /* the request's, for Location */
	const char *allow;      /* the methods of the route, for Allow */
	const char *request_id; /* for X-Request-Id and problems */
};

/*
 * The response for the request as it stands: its error, or its reply. Small answers are made at once and carry their length; of large ones a
 * tensor's bytes are sent from where they lie, and text and what is coded is written block by block as the socket drains, by
 * `a`. *status is set. NULL: no memory. `a` must be given back by answer_fini in any case.
 */
struct MHD_Response *
answer_make(struct answer *a, struct request *rq, const struct answer_wishes *wishes, unsigned *status) MUST_CHECK;

/* A zeroed answer is fine. */
void answer_fini(struct answer *a);

#endif
