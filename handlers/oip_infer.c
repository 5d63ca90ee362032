/* SPDX-License-Identifier: MIT */
/*
 * POST /v2/models/{model}/infer: inference of several layers, or training (oip_train.c), by the Open Inference
 * Protocol. All layers are read in one committed state. NaN and infinity are values here: the protocol has them in JSON
 * too.
 */
#include "handlers/oip_infer.h"

#include "base/clock.h"
#include "handlers/reply.h"

/* Adds the time since the last step to one of the counters. */
static void
end_step(struct oip *o, uint64_t *ns)
{
	const uint64_t now_us = clock_monotonic_us();

	*ns += 1000 * (now_us - o->began_us);
	o->began_us = now_us;
}

static void
release_states(struct request *rq, struct oip *o)
{
	for (size_t i = 0; o->states != NULL && i < o->count; i++) {
		snapshot_unref(o->states[i]);
		o->states[i] = NULL;
	}
	budget_give(&rq->workspace.memory, o->states_bytes);
	o->states_bytes = 0;
}

static int
infer(struct oip_layer *l, struct err *e)
{
	if (call_infer(&l->call, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_INFER, &l->call);
	return 0;
}

static int
infer_all(struct request *rq, struct oip *o, struct err *e)
{
	for (size_t i = 0; i < o->count; i++)
		o->layers[i].call.non_finite_ok = o->layers[i].call.observe = true;
	if (oip_each(rq, o, infer, e) < 0)
		return -1;
	for (size_t i = 0; i < o->count; i++)
		store_window_add(o->layers[i].state, &o->layers[i].call.observed);
	return 0;
}

/* Makes the layers' calls. */
static int
fit(struct request *rq, struct oip *o, struct err *e)
{
	for (size_t i = 0; i < o->count; i++) {
		struct oip_layer *l = &o->layers[i];

		l->state = o->states[i];
		l->revision = l->state->revision;
		l->num_batches_tracked = l->state->statistics.num_batches_tracked;
		l->call = request_call(rq, l->state);
		l->call.tensor = l->input->tensor;
		if (call_fit(&l->call, e) < 0)
			return oip_name_input(l, e);
	}
	return oip_share_out(rq, o, e);
}

/* The states are known. Without a change to store the call is computed at once. */
static int
compute(struct request *rq, struct oip *o, struct err *e)
{
	if (fit(rq, o, e) < 0 || oip_expect_answer(rq, o, e) < 0)
		return -1;
	return o->train ? oip_train(rq, o, e) : infer_all(rq, o, e);
}

/* After a step that has not failed, unless it waits for the store. */
static void
answer(struct request *rq, struct oip *o)
{
	end_step(o, &o->used.infer_ns);
	oip_answer(rq, o);
	end_step(o, &o->used.output_ns);
}

/* Counts a call whose model is known, also one that the store has refused. */
static void
note_use(struct request *rq, struct oip *o)
{
	if (o->states == NULL || o->states[0] == NULL)
		return;
	o->used.total_ns = o->used.queue_ns + o->used.infer_ns + o->used.output_ns;
	usage_note(rq->usage, rq->model, o->states[0]->version, &o->used);
}

/* Ends a step: by waiting for the store, by the answer, or by an error. */
static int
end(struct request *rq, struct oip *o, int result)
{
	if (result == 0 && rq->wants_store) {
		end_step(o, &o->used.infer_ns);
		return 0;
	}
	if (result == 0)
		answer(rq, o);
	o->used.succeeded = result == 0;
	oip_infer_end(rq);
	return result;
}

int
oip_infer_start(struct request *rq, struct err *e)
{
	struct oip *o;
	struct store_layers layers;

	if (usage_check_loaded(rq->usage, rq->model, e) < 0 || body_settle(rq->body, DATATYPE_FP32, e) < 0)
		return -1;
	o = oip_read(rq, e);
	if (o == NULL)
		return -1;
	rq->scratch = o;
	o->began_us = clock_monotonic_us();
	if (!o->train)
		rq->workspace.copies = 1; /* nothing is stored */
	layers = (struct store_layers){ .model = rq->model,
		.names = o->names,
		.count = o->count,
		.which = o->which,
		.min_revision = rq->min_revision,
		.memory = &rq->workspace.memory,
		.snapshots = o->states };
	if (store_layers_cached(rq->store, &layers)) {
		reply_age(&rq->reply, layers.age_us);
		return end(rq, o, compute(rq, o, e));
	}
	o->bytes_before = rq->workspace.memory.bytes;
	request_store(rq, STORE_LAYERS_GET);
	rq->op.layers = layers;
	return 0;
}

/* Takes the references that the operation holds. */
static void
take_states(struct request *rq, struct oip *o)
{
	o->states_bytes = rq->workspace.memory.bytes - o->bytes_before;
	reply_age(&rq->reply, rq->op.layers.age_us);
	rq->op.layers.count = 0;
	request_store_done(rq);
}

int
oip_infer_finish(struct request *rq, struct err *e)
{
	struct oip *o = rq->scratch;

	end_step(o, &o->used.queue_ns);
	if (rq->op.kind == STORE_CHANGE)
		return end(rq, o, oip_train_go_on(rq, o, e));
	take_states(rq, o);
	return end(rq, o, compute(rq, o, e));
}

void
oip_infer_end(struct request *rq)
{
	struct oip *o = rq->scratch;

	if (o == NULL)
		return;
	note_use(rq, o);
	oip_rejoin(o);
	release_states(rq, o);
	rq->scratch = NULL;
}
