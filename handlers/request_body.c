/* SPDX-License-Identifier: MIT */
/* A request's body as it arrives. */
#include "handlers/request.h"
#include "handlers/routes.h"

static int
begin(struct request *rq)
{
	const struct route *route = rq->route;

	if (rq->coding != CODING_IDENTITY && budget_ask(&rq->workspace.memory, CODING_DECODER_BYTES, &rq->err) < 0)
		return -1;
	rq->body = body_new(&(struct body_options){ .form = rq->form,
	    .coding = rq->coding,
	    .slots = rq->slots,
	    .slot_count = inputs_slots(route->inputs, rq->slots),
	    .tensors = route->tensors_in,
	    .bytes_max = rq->body_max_bytes,
	    .memory = &rq->workspace.memory,
	    .digest = rq->digest });
	return rq->body == NULL ? err_fail_memory(&rq->err) : 0;
}

/* Frees the body, and gives back all memory that was counted since it began. */
static void
drop(struct request *rq)
{
	body_free(rq->body);
	rq->body = NULL;
	budget_give(&rq->workspace.memory, rq->workspace.memory.bytes - rq->admitted_bytes);
}

int
request_body(struct request *rq, const char *bytes, size_t len, size_t *taken)
{
	const struct route *route = rq->route;

	*taken = len;
	if (route->body == BODY_NONE)
		return len == 0 ?
		    0 :
		    err_fail(&rq->err, ERR_BAD_PARAMETER, "%s %s takes no body", route->method, route->path);
	if (rq->body == NULL && begin(rq) < 0)
		return -1;
	if (body_feed(rq->body, bytes, len, taken, &rq->err) == 0)
		return 0;
	/* The rest of the body is read and dropped, which may take a while: its memory is not needed for that. */
	drop(rq);
	return -1;
}

int
request_body_end(struct request *rq)
{
	size_t taken;

	if (rq->route->body != BODY_NONE && rq->body == NULL && !rq->route->body_optional &&
	    request_body(rq, "", 0, &taken) < 0)
		return -1;
	return rq->body != NULL ? body_finish(rq->body, &rq->err) : 0;
}
