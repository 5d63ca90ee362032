/* From a reply, or an error, to libmicrohttpd's response. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <microhttpd.h>

#include "codec/json_write.h"
#include "handlers/request.h"

/* Where the writing of an answer stands. It must live until the exchange ends. */
struct answer {
	const struct reply *reply;
	struct json_tensor_cursor cursor;
	size_t head_sent, tail_sent;
	uint64_t sent; /* bytes of body */
};

/*
 * The response for the request as it stands: its error, or its reply. Small answers are made at once and carry their length; large ones are
 * written block by block as the socket drains, by `a`. `target` is the request's, for Location. *status is set. NULL: no memory.
 */
struct MHD_Response *answer_make(struct answer *a, const struct request *rq, const char *target, const char *allow,
    const char *request_id, unsigned *status) MUST_CHECK;

#endif
