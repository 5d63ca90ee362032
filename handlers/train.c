/* SPDX-License-Identifier: MIT */
/*
 * POST .../train. Batch normalization normalizes by the batch's own moments, so the answer depends on the batch alone:
 * it is computed while the update waits for its commit. Where a result might not fit its datatype, it is computed
 * before, because nothing may be stored when an error is answered.
 */
#include <string.h>
#include <sys/random.h>

#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/mask_options.h"
#include "layer/own_statistics.h"
#include "handlers/reply.h"
#include "handlers/seed_options.h"
#include "handlers/sync_options.h"
#include "handlers/training.h"

/* A client may say in either place that it wants no tensor back. */
static const struct input output_input = {
	.name = "output", .type = INPUT_BOOL, .places = INPUT_ANYWHERE, .both = true
};

/* Under a key, those that are `stored` are fingerprinted in this order. */
const struct input *const train_inputs[] = { &tensor_input, &lengths_input, &mask_input, &seed_input, &output_input,
	&sync_input, NULL };

/* What a client that reads numbers as doubles gets back unchanged. */
#define SEED_OWN_BITS 53

/*
 * A seed of our own: a repeat under the same Idempotency-Key must be shuffled as the first was, so there it follows
 * from the body.
 */
static int
own_seed(struct request *rq, uint64_t *seed, struct err *e)
{
	if (rq->digest != NULL) {
		idempotency_guard(rq);
		memcpy(seed, rq->op.change.key_digest, sizeof(*seed));
	} else if (getrandom(seed, sizeof(*seed), 0) != sizeof(*seed)) {
		return err_fail(e, ERR_OVERLOADED, "there are no random numbers to be had; name a \"seed\"");
	}
	*seed >>= 64 - SEED_OWN_BITS;
	return 0;
}

static int
choose_seed(struct request *rq, struct training *t, struct err *e)
{
	bool given;

	if (seed_options_get(rq, &t->seed, &given, e) < 0)
		return -1;
	return given || !rq->definition->shuffle ? 0 : own_seed(rq, &t->seed, e);
}

/* The rest of the answer, whose head was made before anything was stored. */
static void
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	if (rq->definition->shuffle)
		reply_seed(&rq->reply, ((const struct training *)rq->scratch)->seed);
	reply_end(&rq->reply);
}

/* Nothing to store: the state as it stands. */
static int
answer_unchanged(struct request *rq)
{
	answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
	return 0;
}

struct update
training_update(const struct request *rq, size_t features, size_t count, const double *mean, const double *var)
{
	const struct definition *d = rq->definition;

	return (struct update){
		.averaging = d->averaging,
		.momentum = definition_new_weight(d),
		.ddof = d->unbiased_running_var ? 1 : 0,
		.count = count,
		.features = features,
		.mean = mean,
		.var = var,
	};
}

void
training_submit(struct request *rq, const struct update *updates, size_t count)
{
	rq->write.updates.list = updates;
	rq->write.updates.count = count;
	request_write(rq, STORE_UPDATE);
	idempotency_guard(rq);
}

/* By the kind. Whether there is something to store, rq->wants_store tells. */
static int
train_kind(struct request *rq, struct training *t, struct err *e)
{
	if (rq->definition->kind == KIND_BATCH_NORM)
		return train_batch_norm(rq, t, e);
	if (definition_tracks(rq->definition))
		return train_instance_norm(rq, t, e);
	return own_statistics_normalize(
	    &rq->workspace, rq->definition, t->tensor, t->view, t->parameters, true, &t->mask, e);
}

int
train(struct request *rq, struct err *e)
{
	struct training *t = arena_alloc(&rq->workspace.arena, sizeof(*t));

	if (t == NULL)
		return err_fail_memory(e);
	rq->scratch = t;
	idempotency_add_query(rq);
	t->output = true;
	t->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	if (inputs_check_body(rq, e) < 0 || option_get_bool(rq, &output_input, &t->output, e) < 0 ||
	    choose_seed(rq, t, e) < 0 || input_need_tensor(rq, &tensor_input, &t->tensor, e) < 0 ||
	    (t->output && request_check_answer(rq, t->tensor, e) < 0) ||
	    forward_view(rq->definition, rq->state->statistics.features, t->tensor, &t->view, e) < 0 ||
	    mask_options_get(rq, rq->definition, t->tensor, &t->mask, e) < 0)
		return -1;
	if (t->output)
		reply_tensor(&rq->reply, NULL, t->tensor);
	if (sync_options_get(rq, e) < 0)
		return -1;
	if (rq->sync_call != NULL)
		return train_shard(rq, t, e);
	if (mask_check_counted(&t->mask, e) < 0)
		return -1;
	if (t->tensor->count > 0 && train_kind(rq, t, e) < 0)
		return -1;
	return rq->wants_store ? 0 : answer_unchanged(rq);
}

int
train_joined(struct request *rq, struct err *e)
{
	struct training *t = rq->scratch;
	const struct sync_result *r = rq->member.result;

	if (rq->member.leads && train_lead(rq, t, e) < 0)
		return -1;
	if (rq->wants_store)
		return 0;
	if (train_shard_output(rq, t, e) < 0)
		return -1;
	/* The leader of a step that changes nothing tells of the state as it stands. */
	if (rq->member.leads)
		answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
	else
		answer(rq, r->num_batches_tracked, r->revision);
	return 0;
}

void
train_meanwhile(struct request *rq)
{
	struct training *t = rq->scratch;

	if (rq->sync_call == NULL && t->output && !t->normalized && train_batch_norm_output(rq, t, &t->err) < 0)
		return; /* t->err has it */
}

int
train_finish(struct request *rq, struct err *e)
{
	struct training *t = rq->scratch;

	if (t->err.code != ERR_NONE) {
		*e = t->err;
		return -1;
	}
	if (rq->sync_call != NULL && train_shard_output(rq, t, e) < 0)
		return -1;
	answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
	return 0;
}
