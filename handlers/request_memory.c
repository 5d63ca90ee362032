/* SPDX-License-Identifier: MIT */
#include "handlers/request_memory.h"

#include "handlers/routes.h"

/* What every request with a body uses: the decoder, a piece of the body that waits, the handlers' structs. */
#define ADMITTED_BYTES ((size_t)48 * 1024)
/* What most requests need in addition, counted at the same time. */
#define ADVANCE_BYTES ((size_t)16 * 1024)

/* The end of an answer after a change: counts, and the closing brace. */
#define REPLY_TAIL_BYTES ((size_t)128)

int
request_admit(struct request *rq, size_t target_len, struct err *e)
{
	const bool has_body = rq->route->body != BODY_NONE;
	/* Short targets are not counted. */
	const size_t bytes =
	    (has_body ? ADMITTED_BYTES : 0) + (target_len > REQUEST_CREDIT_BYTES / 2 ? 2 * target_len : 0);

	rq->workspace.copies = rq->route->stores_values ? STORE_DOUBLES_COPIES : 1;
	if (!budget_pay_ahead(&rq->workspace.memory, bytes + (has_body ? ADVANCE_BYTES : 0)))
		return budget_refuse(&rq->workspace.memory, bytes + ADVANCE_BYTES, e);
	if (budget_ask(&rq->workspace.memory, bytes, e) < 0)
		return -1;
	rq->admitted_bytes = rq->workspace.memory.bytes;
	return 0;
}

int
request_refuse_reply(struct request *rq)
{
	const struct buf *const parts[] = { &rq->reply.text, &rq->reply.tail };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->too_long)
			return err_fail(&rq->err, ERR_BODY_TOO_LARGE,
			    "the answer would be larger than %zu bytes, the limit for all requests together "
			    "(--max-memory)",
			    parts[i]->limit);
		if (parts[i]->refused > 0)
			return budget_refuse(&rq->workspace.memory, parts[i]->refused, &rq->err);
	}
	return err_fail_memory(&rq->err);
}

int
request_reserve_change(struct request *rq)
{
	(void)buf_reserve(&rq->reply.tail, REPLY_TAIL_BYTES);
	if (reply_failed(&rq->reply))
		return request_refuse_reply(rq);
	if (rq->state == NULL || rq->op.kind != STORE_CHANGE)
		return 0;
	return budget_ask(&rq->workspace.memory, store_write_bytes(rq->state, &rq->write), &rq->err);
}

/* Releases what the operation that has ended, well or not, holds in lists in the arena. */
static void
release_operation(struct request *rq)
{
	struct store_op *op = &rq->op;

	if (op->kind == STORE_CHANGE && op->change.writes != &rq->write) {
		store_op_fini(op);
		op->change.count = 0;
	} else if (op->kind == STORE_LAYERS_GET) {
		store_op_fini(op);
		op->layers.count = 0;
	}
}

void
request_let_go(struct request *rq)
{
	const struct buf *text = &rq->reply.text, *tail = &rq->reply.tail;

	snapshot_unref(rq->state);
	rq->state = NULL;
	rq->definition = NULL;
	if (rq->phase != PHASE_LOADED) /* there it is what was in use before */
		budget_give(&rq->workspace.memory, rq->state_bytes);
	if (rq->reply.part_count > 0 || rq->reply.source.from_arena ||
	    rq->reply.has_location) /* which the arena's names make */
		return;
	if (rq->route != NULL && rq->route->end != NULL)
		rq->route->end(rq);
	release_operation(rq);
	body_free(rq->body);
	rq->body = NULL;
	safetensors_body_free(rq->file);
	rq->file = NULL;
	arena_fini(&rq->workspace.arena);
	budget_give(&rq->workspace.memory, rq->workspace.memory.bytes - rq->admitted_bytes - text->size - tail->size);
}
