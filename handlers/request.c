/* SPDX-License-Identifier: MIT */
#include "handlers/request.h"

#include <string.h>

#include "handlers/input.h"
#include "handlers/reply.h"
#include "handlers/request_memory.h"
#include "handlers/routes.h"

#define REPLY_MAX_BYTES ((size_t)1 << 31)

void
request_init(struct request *rq, struct store *store, struct claims *claims, struct sync *sync, struct budget *memory,
    size_t body_max_bytes)
{
	const size_t reply_max = memory->bytes_max < REPLY_MAX_BYTES ? memory->bytes_max : REPLY_MAX_BYTES;

	memset(rq, 0, sizeof(*rq));
	rq->store = store;
	rq->claims = claims;
	rq->sync = sync;
	rq->caller = &caller_nobody;
	workspace_init(&rq->workspace, memory, memory->bytes_max);
	budget_credit(&rq->workspace.memory, REQUEST_CREDIT_BYTES);
	rq->body_max_bytes = body_max_bytes;
	rq->reply.status = 200;
	rq->reply.parts = rq->reply.few;
	rq->reply.parts_max = REPLY_FEW_PARTS;
	buf_init(&rq->reply.text, reply_max);
	buf_init(&rq->reply.tail, REPLY_MAX_BYTES);
	buf_count(&rq->reply.text, &rq->workspace.memory);
	buf_count(&rq->reply.tail, &rq->workspace.memory);
}

void
request_unpin(struct request *rq)
{
	if (rq->write.kind != STORE_PIN && rq->write.kind != STORE_VERSION_MAKE)
		return;
	store_pin_release(rq->write.version.pin);
	rq->write.version.pin = NULL;
}

void
request_fini(struct request *rq)
{
	claims_release(&rq->claim);
	/* The other ranks must learn what was stored for all, even if the client of this one has hung up. */
	if (rq->member.leads && rq->phase == PHASE_FINISH)
		(void)request_step(rq, true);
	if (rq->route != NULL && rq->route->end != NULL)
		rq->route->end(rq);
	sync_leave(&rq->member);
	request_unpin(rq);
	store_op_fini(&rq->op);
	snapshot_unref(rq->state);
	body_free(rq->body);
	safetensors_body_free(rq->file);
	digest_free(rq->digest);
	buf_fini(&rq->reply.text);
	buf_fini(&rq->reply.tail);
	workspace_fini(&rq->workspace);
}

static enum request_next
fail(struct request *rq)
{
	buf_fini(&rq->reply.text);
	buf_fini(&rq->reply.tail);
	rq->reply.part_count = 0;
	return REQUEST_DONE;
}

/* Takes over the state, and its reference, that the cache or the store has given. */
static void
adopt_layer(struct request *rq, const struct store_get *get)
{
	rq->state = get->snapshot;
	rq->definition = rq->state->identity->parsed;
	reply_age(&rq->reply, get->age_us);
	rq->phase = PHASE_START;
}

/* Gets the layer's state: at once if the cache has it, else from the store. */
static enum request_next
load(struct request *rq)
{
	struct store_get get = { .model = rq->model,
		.layer = rq->layer,
		.min_revision = rq->min_revision,
		.memory = &rq->workspace.memory };

	if (version_which(rq, &get.which, &rq->err) < 0)
		return fail(rq);
	if (store_layer_cached(rq->store, &get) != NULL) {
		adopt_layer(rq, &get);
		return REQUEST_DONE;
	}
	request_store(rq, STORE_LAYER_GET);
	rq->op.get = get;
	rq->state_bytes = rq->workspace.memory.bytes;
	rq->wants_store = false;
	rq->phase = PHASE_LOADED;
	return REQUEST_STORE;
}

static int
take_loaded(struct request *rq)
{
	rq->state_bytes = rq->workspace.memory.bytes - rq->state_bytes;
	if (rq->op.err.code != ERR_NONE) {
		rq->err = rq->op.err;
		return -1;
	}
	adopt_layer(rq, &rq->op.get);
	rq->op.get.snapshot = NULL;
	request_store_done(rq);
	return 0;
}

/* The reply is made, or there was no memory for it. A change that is stored is not refused any more. */
static enum request_next
done(struct request *rq, int result)
{
	if (result == 0 && reply_failed(&rq->reply) && !request_stored(rq))
		result = request_refuse_reply(rq);
	return result < 0 ? fail(rq) : REQUEST_DONE;
}

bool
request_stored(const struct request *rq)
{
	return rq->phase == PHASE_FINISH && rq->op.err.code == ERR_NONE && rq->err.code == ERR_NONE &&
	    rq->op.kind == STORE_CHANGE;
}

/* After `start` or `joined` has returned `result`. */
static enum request_next
decided(struct request *rq, int result)
{
	if (result == 0 && rq->wants_store)
		result = request_reserve_change(rq);
	if (result < 0 || !rq->wants_store)
		return done(rq, result);
	rq->phase = PHASE_FINISH;
	return REQUEST_STORE;
}

static bool
goes_apart(struct request *rq, bool apart)
{
	if (apart || !request_is_long(rq))
		return false;
	rq->is_long = true;
	return true;
}

static enum request_next
start(struct request *rq)
{
	int result;

	if ((rq->route->needs_layer && request_settle(rq, rq->definition, &rq->err) < 0) ||
	    (rq->route->body == BODY_INPUTS && inputs_check_body(rq, &rq->err) < 0))
		return fail(rq);
	result = rq->route->start(rq, &rq->err);
	if (result < 0 || rq->sync_call == NULL)
		return decided(rq, result);
	/* The request keeps the snapshot while it waits for the other ranks. */
	if (budget_ask(&rq->workspace.memory, store_snapshot_bytes(rq->state), &rq->err) < 0)
		return fail(rq);
	rq->phase = PHASE_JOINED;
	return REQUEST_SYNC;
}

static enum request_next
joined(struct request *rq)
{
	rq->err = rq->member.err;
	return rq->err.code != ERR_NONE ? fail(rq) : decided(rq, rq->route->joined(rq, &rq->err));
}

/* A handler that needs the store several times asks for it again. */
static enum request_next
finish(struct request *rq)
{
	int result;

	rq->err = rq->op.err;
	if (rq->err.code != ERR_NONE)
		return fail(rq);
	rq->wants_store = false;
	result = rq->route->finish(rq, &rq->err);
	return rq->wants_store ? decided(rq, result) : done(rq, result);
}

static enum request_next
step(struct request *rq, bool apart)
{
	if (rq->err.code != ERR_NONE)
		return fail(rq);
	/* Before the envelope is parsed, and again when the layer, or a page of layers, is known. */
	if (goes_apart(rq, apart))
		return REQUEST_LONG;
	if (rq->phase == PHASE_LOAD) {
		if (request_body_end(rq) < 0)
			return fail(rq);
		rq->phase = PHASE_START;
		if (rq->route->needs_layer && load(rq) == REQUEST_STORE)
			return REQUEST_STORE;
		if (rq->err.code != ERR_NONE)
			return REQUEST_DONE;
	}
	if (rq->phase == PHASE_LOADED && take_loaded(rq) < 0)
		return fail(rq);
	if (goes_apart(rq, apart))
		return REQUEST_LONG;
	if (rq->phase == PHASE_START)
		return start(rq);
	return rq->phase == PHASE_JOINED ? joined(rq) : finish(rq);
}

/* The leader of a synchronized step tells the other ranks how it ended. */
static void
tell_members(struct request *rq)
{
	const bool failed = rq->err.code != ERR_NONE;

	if (!rq->member.leads)
		return;
	sync_lead(&rq->member, failed ? &rq->err : NULL, rq->reply.num_batches_tracked, rq->reply.revision);
}

enum request_next
request_step(struct request *rq, bool apart)
{
	enum request_next next = step(rq, apart);

	if (next == REQUEST_DONE) {
		claims_release(&rq->claim);
		request_unpin(rq);
		tell_members(rq);
		request_let_go(rq);
	}
	return next;
}

void
request_meanwhile(struct request *rq)
{
	if (rq->phase == PHASE_FINISH && rq->route->meanwhile != NULL)
		rq->route->meanwhile(rq);
}

bool
request_join(struct request *rq, void (*resume)(void *arg), void *arg)
{
	rq->member.resume = resume;
	rq->member.arg = arg;
	return sync_join(rq->sync, rq->sync_call, &rq->member);
}

void
request_store(struct request *rq, enum store_op_kind kind)
{
	rq->op.kind = kind;
	rq->wants_store = true;
}

void
request_store_done(struct request *rq)
{
	store_op_fini(&rq->op);
	memset(&rq->op, 0, sizeof(rq->op));
	rq->wants_store = false;
}

void
request_write(struct request *rq, enum store_write_kind kind)
{
	rq->write.kind = kind;
	rq->write.model = rq->model;
	rq->write.layer = rq->layer;
	rq->write.layer_id = rq->state != NULL ? rq->state->identity->id : 0;
	rq->op.change.writes = &rq->write;
	rq->op.change.count = 1;
	request_store(rq, STORE_CHANGE);
}
