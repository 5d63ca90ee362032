/* SPDX-License-Identifier: MIT */
#include "handlers/routes.h"

/*
 * From here on a request is long. Training on 128 KiB of .npy, 32,768 values, takes about 50 us, as much as a change of
 * thread may cost. Parsing an envelope of 8 KiB takes 0.4 ms; writing 4,096 numbers as text takes 0.2 ms.
 */
#define LONG_BODY_BYTES ((size_t)128 << 10)
#define LONG_ENVELOPE_BYTES ((size_t)8 << 10)
#define LONG_VALUES ((size_t)4096)

static bool
body_is_long(const struct request *rq)
{
	return rq->file != NULL ||
	    (rq->body != NULL &&
		(body_bytes(rq->body) >= LONG_BODY_BYTES || body_envelope_bytes(rq->body) >= LONG_ENVELOPE_BYTES));
}

/* Its digest is made of all of its values. */
static bool
state_is_long(const struct snapshot *s)
{
	return s->statistics.features >= LONG_VALUES || s->weight.count >= LONG_VALUES || s->bias.count >= LONG_VALUES;
}

/* Whether a document that is parsed within the body may end in the next `len` bytes. */
static bool
may_end_document(const struct request *rq, size_t len)
{
	const size_t come = rq->body != NULL ? body_bytes(rq->body) : 0;

	return come < rq->oip_header_bytes && (rq->coding != CODING_IDENTITY || len >= rq->oip_header_bytes - come);
}

bool
request_body_is_long(const struct request *rq, size_t len)
{
	return (rq->file != NULL && safetensors_body_is_long(rq->file)) ||
	    (rq->oip_header_bytes >= LONG_ENVELOPE_BYTES && may_end_document(rq, len));
}

bool
request_is_long(const struct request *rq)
{
	return rq->is_long || body_is_long(rq) || (rq->state != NULL && state_is_long(rq->state)) ||
	    rq->write.result.features >= LONG_VALUES ||
	    (rq->route != NULL && rq->route->answer_values != NULL && rq->route->answer_values(rq) >= LONG_VALUES);
}
