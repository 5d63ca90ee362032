/*
 * POST .../train. Batch normalization normalizes by the batch's own moments, so the answer depends on the batch alone: it is computed
 * while the update waits for its commit. Where a result might not fit its datatype, it is computed before, because nothing may be
 * stored when an error is answered.
 */
#include "handlers/forward.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/reply.h"

struct training {
	struct tensor *tensor;
	struct norm_view view;
	double *mean, *var, *rstd;
	struct scale_shift parameters;
	struct update update;
	bool output;     /* the caller wants the tensor back */
	bool normalized; /* it is there */
	struct err err;  /* what went wrong meanwhile; never for a batch that is surely finite */
};

static const char *const members[] = { "shape", "datatype", "data", "output", NULL };

/* `output` in the query or the body. */
static int
want_output(const struct request *rq, const struct cJSON *body, bool *out, struct err *e)
{
	const struct cJSON *member = envelope_get(body, "output");

	if (request_query_bool(rq, "output", true, out, e) < 0)
		return -1;
	if (member == NULL)
		return 0;
	if (envelope_type(member) != ENVELOPE_BOOL)
		return err_set(e, ERR_BAD_PARAMETER, "\"output\" must be true or false");
	*out = *out && envelope_bool(member);
	return 0;
}

/* The rest of the answer, whose head was made before anything was stored. */
static void
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	reply_end(&rq->reply);
}

/* Nothing to store: the state as it stands. */
static int
answer_unchanged(struct request *rq)
{
	answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
	return 0;
}

static int
normalize_batch(const struct request *rq, struct training *t, struct err *e)
{
	t->normalized = true;
	return forward_by_statistics(rq->definition, t->tensor, t->view, t->mean, t->var, t->parameters, t->rstd, e);
}

static int
measure(struct request *rq, struct training *t, struct err *e)
{
	size_t features = t->view.feature;

	if (request_doubles(rq, features, &t->mean, e) < 0 || request_doubles(rq, features, &t->var, e) < 0 ||
	    request_doubles(rq, features, &t->rstd, e) < 0)
		return -1;
	return forward_moments(t->tensor, t->view, t->mean, t->var, e);
}

static int
train_batch_norm(struct request *rq, struct training *t, struct err *e)
{
	const struct definition *d = rq->definition;

	if (measure(rq, t, e) < 0)
		return -1;
	if (t->output && (!definition_tracks(d) || !forward_surely_finite(d, t->tensor, t->view, t->var, t->parameters)) &&
	    normalize_batch(rq, t, e) < 0)
		return -1;
	if (!definition_tracks(d))
		return answer_unchanged(rq);
	t->update = (struct update){
		.averaging = d->averaging,
		.momentum = definition_new_weight(d),
		.ddof = d->unbiased_running_var ? 1 : 0,
		.count = norm_view_count(t->view),
		.features = t->view.feature,
		.mean = t->mean,
		.var = t->var,
	};
	rq->op.update = &t->update;
	request_store(rq, STORE_UPDATE);
	idempotency_guard(rq);
	return 0;
}

int
train(struct request *rq, struct err *e)
{
	struct training *t = arena_alloc(&rq->arena, sizeof(*t));
	const struct cJSON *body;

	if (t == NULL)
		return err_set_memory(e);
	rq->scratch = t;
	t->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	if (request_object(rq, members, &body, e) < 0 || want_output(rq, body, &t->output, e) < 0 ||
	    request_tensor(rq, 0, "data", &t->tensor, e) < 0 || (t->output && request_check_answer(rq, t->tensor, e) < 0) ||
	    forward_view(rq->definition, rq->state->statistics.features, t->tensor, &t->view, e) < 0)
		return -1;
	if (t->output)
		reply_tensor(rq, t->tensor);
	if (t->tensor->count == 0)
		return answer_unchanged(rq);
	if (rq->definition->kind == KIND_BATCH_NORM)
		return train_batch_norm(rq, t, e);
	if (forward_by_sample(rq->definition, t->tensor, t->parameters, e) < 0)
		return -1;
	return answer_unchanged(rq);
}

void
train_meanwhile(struct request *rq)
{
	struct training *t = rq->scratch;

	if (t->output && !t->normalized)
		(void)normalize_batch(rq, t, &t->err);
}

int
train_finish(struct request *rq, struct err *e)
{
	struct training *t = rq->scratch;

	if (t->err.code != ERR_NONE) {
		*e = t->err;
		return -1;
	}
	answer(rq, rq->op.num_batches_tracked, rq->op.revision);
	return 0;
}
