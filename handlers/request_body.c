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
	rq->body = body_new(&(struct body_options){ .form = route->body == BODY_OIP ? FORM_OIP : rq->form,
	    .coding = rq->coding,
	    .slots = rq->slots,
	    .slot_count = inputs_slots(route->inputs, rq->slots),
	    .tensors = route->tensors_in,
	    .bytes_max = rq->body_max_bytes,
	    .header_bytes = rq->oip_header_bytes,
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
	if (rq->file != NULL) { /* what is kept of it is in the arena; nothing reads the names there any more */
		arena_fini(&rq->workspace.arena);
		rq->scratch = NULL;
		request_store_done(rq); /* a page of layers, whose memory is given back too */
	}
	safetensors_body_free(rq->file);
	rq->file = NULL;
	budget_give(&rq->workspace.memory, rq->workspace.memory.bytes - rq->admitted_bytes);
}

static int
begin_file(struct request *rq)
{
	const struct safetensors_limits limits = {
		.file_bytes_max = rq->file_max_bytes,
		.file_bytes = rq->coding == CODING_IDENTITY ? rq->announced_bytes : 0,
	};

	if (rq->coding != CODING_IDENTITY && budget_ask(&rq->workspace.memory, CODING_DECODER_BYTES, &rq->err) < 0)
		return -1;
	rq->file = safetensors_body_new(rq->coding, &limits, &rq->workspace.memory);
	return rq->file == NULL ? err_fail_memory(&rq->err) : 0;
}

/* The rest of a refused body is read and dropped, which may take a while: its memory is not needed for that. */
static int
refuse(struct request *rq)
{
	drop(rq);
	return -1;
}

static int
take_file(struct request *rq, const char *bytes, size_t len, size_t *taken)
{
	if (rq->file == NULL && begin_file(rq) < 0)
		return -1;
	if (safetensors_body_feed(rq->file, bytes, len, taken, &rq->err) < 0)
		return refuse(rq);
	return safetensors_body_waits(rq->file) ? request_body_known(rq) : 0;
}

int
request_body_known(struct request *rq)
{
	if (rq->route->header_known(rq, &rq->err) < 0)
		return refuse(rq);
	if (rq->wants_store || safetensors_body_go_on(rq->file, &rq->err) == 0)
		return 0;
	return refuse(rq);
}

int
request_body(struct request *rq, const char *bytes, size_t len, size_t *taken)
{
	const struct route *route = rq->route;

	*taken = len;
	if (route->body == BODY_FILE)
		return take_file(rq, bytes, len, taken);
	if (route->body == BODY_NONE)
		return len == 0 ?
		    0 :
		    err_fail(&rq->err, ERR_BAD_PARAMETER, "%s %s takes no body", route->method, route->path);
	if (rq->body == NULL && begin(rq) < 0)
		return -1;
	return body_feed(rq->body, bytes, len, taken, &rq->err) < 0 ? refuse(rq) : 0;
}

int
request_body_end(struct request *rq)
{
	size_t taken;

	if (rq->route->body != BODY_NONE && rq->body == NULL && rq->file == NULL && !rq->route->body_optional &&
	    request_body(rq, "", 0, &taken) < 0)
		return -1;
	if (rq->file != NULL)
		return safetensors_body_finish(rq->file, &rq->err);
	return rq->body != NULL ? body_finish(rq->body, &rq->err) : 0;
}
