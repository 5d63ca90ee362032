/* SPDX-License-Identifier: MIT */
/*
 * Training by a call of the Open Inference Protocol ({"parameters":{"mode":"train"}}): the updates of all layers are
 * one change, all or none. A layer that is frozen is normalized by its running statistics, and one that keeps none by
 * its input; neither is updated, and no layer is by an empty input.
 *
 * Under an Idempotency-Key the store is first asked whether the key was used. Training overwrites the inputs with the
 * outputs, and a repeat may find layers thawed that were frozen the first time, or frozen that were not: it must know
 * before it computes which outputs the first answer had. The key's claim keeps other requests away in between.
 */
#include "handlers/call_options.h"
#include "handlers/idempotency.h"
#include "handlers/oip_infer.h"

/* What the store needs for each write beside its lists: the write, its record of the layer, and the key. */
#define WRITE_BYTES ((size_t)1024)

/* Whether the layer's statistics would move, if it is not frozen. */
static bool
moves(const struct oip_layer *l)
{
	return l->call.definition->track_running_stats && l->input->tensor->count > 0;
}

static struct store_write *
add_write(const struct request *rq, struct oip *o, struct oip_layer *l)
{
	l->write = &o->writes[o->write_count++];
	*l->write = (struct store_write){
		.kind = STORE_UPDATE, .model = rq->model, .layer = l->input->name, .layer_id = l->state->identity->id
	};
	return l->write;
}

static void
submit(struct request *rq, struct oip *o)
{
	request_store(rq, STORE_CHANGE);
	rq->op.change.writes = o->writes;
	rq->op.change.count = o->write_count;
	idempotency_guard(rq);
}

/* ---- after the key is known to be new, or that there is none */

static int
train(struct oip_layer *l, struct err *e)
{
	if ((l->infers ? call_infer(&l->call, e) : call_train(&l->call, e)) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_TRAIN, &l->call);
	return 0;
}

static int
make_pending(struct oip_layer *l, struct err *e)
{
	return l->call.pending ? call_train_output(&l->call, e) : 0;
}

/* Those that belong to the store's thread for now are left for later. */
static int
make_pending_now(struct oip_layer *l, struct err *e)
{
	return l->call.needs_state ? 0 : make_pending(l, e);
}

/* The writes of all layers, of which frozen ones only ask. Counts what they take. */
static int
add_updates(struct request *rq, struct oip *o, bool *any, struct err *e)
{
	*any = false;
	o->write_count = 0;
	for (size_t i = 0; i < o->count; i++) {
		struct oip_layer *l = &o->layers[i];
		struct store_write *write;

		l->write = NULL;
		if (!moves(l))
			continue;
		write = add_write(rq, o, l);
		write->updates.list = l->call.updates;
		write->updates.count = l->infers ? 0 : l->call.update_count;
		request_ask_state(write, &l->call);
		*any = *any || write->updates.count > 0;
		if (budget_ask(&rq->workspace.memory, WRITE_BYTES + store_write_bytes(l->state, write), e) < 0)
			return oip_name_input(l, e);
	}
	return 0;
}

static int
train_all(struct request *rq, struct oip *o, struct err *e)
{
	bool any;

	for (size_t i = 0; i < o->count; i++)
		o->layers[i].infers = o->layers[i].state->frozen && moves(&o->layers[i]);
	if (oip_each(rq, o, train, e) < 0 || add_updates(rq, o, &any, e) < 0)
		return -1;
	if (!any)
		return oip_each(rq, o, make_pending, e);
	o->stage = OIP_STORING;
	submit(rq, o);
	return 0;
}

void
oip_infer_meanwhile(struct request *rq)
{
	struct oip *o = rq->scratch;

	if (o->stage == OIP_STORING)
		o->failed = oip_each(rq, o, make_pending_now, &o->err) < 0;
}

/* A layer that infers keeps those of the state by which it does: it may have been thawed and have moved meanwhile. */
static void
take_counts(struct oip *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct oip_layer *l = &o->layers[i];

		if (l->write == NULL || l->infers)
			continue;
		l->revision = l->write->result.revision;
		l->num_batches_tracked = l->write->result.num_batches_tracked;
	}
}

static int
finish_stored(struct request *rq, struct oip *o, struct err *e)
{
	take_counts(o);
	if (!o->failed)
		return oip_each(rq, o, make_pending, e);
	*e = o->err;
	return -1;
}

/* ---- with a key */

static int
ask(struct request *rq, struct oip *o, struct err *e)
{
	for (size_t i = 0; i < o->count; i++)
		if (moves(&o->layers[i]))
			(void)add_write(rq, o, &o->layers[i]);
	if (o->write_count == 0)
		return train_all(rq, o, e);
	o->stage = OIP_ASKING;
	submit(rq, o);
	return 0;
}

/* The output as it was the first time, or by the present statistics where it is theirs. */
static int
repeat(struct oip_layer *l, struct err *e)
{
	return train(l, e) < 0 ? -1 : make_pending(l, e);
}

/*
 * A layer that was frozen, or that normalizes by its running statistics, is normalized by the present ones, which may
 * have moved since: their counts are answered. Otherwise the answer has the counts of the first.
 */
static int
repeat_all(struct request *rq, struct oip *o, struct err *e)
{
	for (size_t i = 0; i < o->count; i++) {
		struct oip_layer *l = &o->layers[i];

		l->infers = l->write != NULL && (l->write->result.asked || definition_by_running(l->call.definition));
	}
	take_counts(o);
	request_store_done(rq);
	return oip_each(rq, o, repeat, e);
}

static int
refuse_race(struct err *e)
{
	err_set(e, ERR_IDEMPOTENCY_IN_FLIGHT,
	    "another request with this Idempotency-Key has ended meanwhile; repeat this one to get its answer");
	e->retry_after_s = 1;
	return -1;
}

int
oip_train_go_on(struct request *rq, struct oip *o, struct err *e)
{
	const bool repeated = rq->op.change.repeated;

	if (o->stage == OIP_STORING)
		return repeated ? refuse_race(e) : finish_stored(rq, o, e);
	if (repeated)
		return repeat_all(rq, o, e);
	request_store_done(rq);
	return train_all(rq, o, e);
}

/* ---- both */

static int
choose_seed(struct request *rq, struct oip *o, struct err *e)
{
	bool shuffles = false;

	for (size_t i = 0; i < o->count; i++)
		shuffles = shuffles || o->layers[i].call.definition->shuffle;
	if (shuffles && seed_options_own(rq, &o->seed, e) < 0)
		return -1;
	for (size_t i = 0; i < o->count; i++) {
		o->layers[i].call.output = true;
		o->layers[i].call.seed = o->seed;
	}
	return 0;
}

int
oip_train(struct request *rq, struct oip *o, struct err *e)
{
	if (choose_seed(rq, o, e) < 0)
		return -1;
	o->writes = workspace_array(&rq->workspace, o->count, sizeof(*o->writes), e);
	if (o->writes == NULL)
		return -1;
	return rq->digest != NULL ? ask(rq, o, e) : train_all(rq, o, e);
}
