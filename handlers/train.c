/* SPDX-License-Identifier: MIT */
/*
 * POST .../train. A request takes one of four ways.
 *
 * By the batch: the output depends on the batch alone. The call may leave it for the time in which its updates wait for
 * their commit (train_meanwhile).
 *
 * By running statistics: the output depends on the state that the updates lead to. The store shows that state before it
 * stands (request_ask_state). The call copies it, and the output follows after the commit (train_finish).
 *
 * Synchronized: the request waits for the shards of the other ranks (train_joined). The rank that leads submits the
 * update by all of them, in one of the two ways above.
 *
 * Frozen (start_frozen, finish_frozen): the output is that of inference, and nothing is updated.
 */
#include <inttypes.h>
#include <stdio.h>

#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/call_options.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"
#include "handlers/source_calls.h"

/* If either place says false, no tensor is answered. */
static const struct input output_input = { "output", INPUT_BOOL, INPUT_ANYWHERE, .both = true };

/* Under a key, the `stored` ones are part of the fingerprint, in this order. */
const struct input *const train_inputs[] = { &tensor_input, &lengths_input, &mask_input, &seed_input, &output_input,
	&sync_input, &source_input, NULL };

static int
choose_seed(struct request *rq, uint64_t *seed, struct err *e)
{
	bool given;

	if (seed_options_get(rq, seed, &given, e) < 0)
		return -1;
	return given || !rq->definition->shuffle ? 0 : seed_options_own(rq, seed, e);
}

/* Kept between the steps of the request. */
struct training {
	struct call call;
	bool failed; /* with `err`, the output that was computed while the store was at work */
	struct err err;
};

/* Ends the answer, whose head was made before anything was stored. */
static void
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	if (rq->definition->shuffle)
		reply_seed(&rq->reply, ((const struct training *)rq->scratch)->call.seed);
	reply_end(&rq->reply);
}

/* Nothing is stored: answers the counts of the present state. */
static void
answer_unchanged(struct request *rq)
{
	answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
}

_Static_assert(CALL_STATE_LISTS <= SYNC_STATE_LISTS, "a step's ranks share a state");

static void
submit(struct request *rq, struct call *c)
{
	request_update(rq, c->updates, c->update_count);
	request_ask_state(&rq->write, c);
}

/* The leader's update, which another daemon may make as well if it takes over: under a key that clients cannot send. */
static int
submit_step(struct request *rq, struct call *c, int64_t turn, struct err *e)
{
	const size_t size = sizeof("\x1fstep ") + 20;
	char *key = turn == 0 ? NULL : workspace_alloc(&rq->workspace, size, e);

	if (turn != 0 && key == NULL)
		return -1;
	submit(rq, c);
	if (key == NULL)
		return 0;
	snprintf(key, size, "\x1fstep %" PRId64, turn);
	rq->op.change.key = key;
	return 0;
}

static int
start_batch(struct request *rq, struct call *c, struct err *e)
{
	if (call_train(c, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_TRAIN, c);
	if (c->update_count > 0)
		submit(rq, c);
	else
		answer_unchanged(rq);
	return 0;
}

/* A shard of a synchronized step, which then waits for the others. */
static int
start_shard(struct request *rq, struct call *c, struct err *e)
{
	if (call_train_shard(c, &rq->member.shard, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_TRAIN, c);
	return 0;
}

/* What a frozen layer answers: the output of inference, and the present counts. */
static int
answer_inferred(struct request *rq, struct call *c, struct err *e)
{
	if ((c->output ? call_infer(c, e) : call_examine(c, e)) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_TRAIN, c);
	answer_unchanged(rq);
	return 0;
}

/*
 * A step that had begun before the layer was frozen has one answer for all its ranks, so this rank joins it. A request
 * that was done under its key before is answered as it was then: the store is asked for the key, with no updates.
 */
static int
start_frozen(struct request *rq, struct call *c, struct err *e)
{
	request_sync_if_begun(rq);
	if (rq->sync_call != NULL)
		return start_shard(rq, c, e);
	if (rq->digest == NULL || c->tensor->count == 0)
		return answer_inferred(rq, c, e);
	request_update(rq, NULL, 0);
	return 0;
}

/* The store has told whether the request was done before. */
static int
finish_frozen(struct request *rq, struct call *c, struct err *e)
{
	const bool by_present = c->output && definition_by_running(rq->definition);

	if (!rq->op.change.repeated || by_present)
		return answer_inferred(rq, c, e);
	if (call_train(c, e) < 0 || (c->pending && call_train_output(c, e) < 0))
		return -1;
	request_count_values(METRIC_OPERATION_TRAIN, c);
	answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
	return 0;
}

int
train_start(struct request *rq, struct err *e)
{
	struct training *t = workspace_alloc(&rq->workspace, sizeof(*t), e);
	struct call *c;

	if (t == NULL)
		return -1;
	rq->scratch = t;
	c = &t->call;
	*c = request_call(rq, rq->state);
	c->output = true;
	idempotency_add_query(rq);
	if (option_get_bool(rq, &output_input, &c->output, e) < 0 || choose_seed(rq, &c->seed, e) < 0 ||
	    input_need_tensor(rq, &tensor_input, &c->tensor, e) < 0 ||
	    (c->output && request_check_answer(rq, c->tensor, e) < 0) || call_fit(c, e) < 0 ||
	    mask_options_get(rq, rq->definition, c->tensor, &c->mask, e) < 0)
		return -1;
	if (c->output)
		reply_tensor(&rq->reply, NULL, c->tensor);
	if (sync_options_get(rq, e) < 0 || source_option_get(rq, e) < 0)
		return -1;
	if (request_is_frozen(rq))
		return start_frozen(rq, c, e);
	return rq->sync_call != NULL ? start_shard(rq, c, e) : start_batch(rq, c, e);
}

int
train_joined(struct request *rq, struct err *e)
{
	struct call *c = &((struct training *)rq->scratch)->call;
	const struct sync_result *r = rq->member.result;

	if (r == NULL) /* the layer is frozen, and the step had ended */
		return answer_inferred(rq, c, e);
	if (rq->member.leads && !r->whole.empty && call_train_whole(c, &r->whole, r->state, e) < 0)
		return -1;
	if (c->update_count > 0)
		return submit_step(rq, c, r->turn, e);
	if (call_train_shard_output(c, &r->whole, r->state, e) < 0)
		return -1;
	if (rq->member.leads)
		answer_unchanged(rq);
	else
		answer(rq, r->num_batches_tracked, r->revision);
	return 0;
}

void
train_meanwhile(struct request *rq)
{
	struct training *t = rq->scratch;

	/* A call that needs the state belongs to the store's thread for now. */
	if (!t->call.needs_state && t->call.pending)
		t->failed = call_train_output(&t->call, &t->err) < 0;
}

int
train_finish(struct request *rq, struct err *e)
{
	struct training *t = rq->scratch;
	const struct sync_result *r = rq->member.result;

	if (rq->write.updates.count == 0)
		return finish_frozen(rq, &t->call, e);
	if (t->failed) {
		*e = t->err;
		return -1;
	}
	if (t->call.pending && call_train_output(&t->call, e) < 0)
		return -1;
	if (rq->sync_call != NULL && call_train_shard_output(&t->call, &r->whole, r->state, e) < 0)
		return -1;
	answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
	return 0;
}
