/* SPDX-License-Identifier: MIT */
/*
 * POST .../backward: the gradients by input, weight and bias, from the input and the gradient by the output. In mode
 * "train" they flow through the moments of the input; in mode "infer" the running statistics are constants. They are
 * constants in mode "train" too if the layer trains by running statistics, or is frozen. Changes nothing.
 */
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/call_options.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"

static const struct input input_input = { "input", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32,
	.by_layer = true };
static const struct input gradient_input = { "grad_output", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32,
	.by_layer = true };

enum mode { MODE_TRAIN, MODE_INFER };
static const struct input mode_input = { "mode", INPUT_CHOICE, INPUT_ANYWHERE,
	.choices = (const char *const[]){ [MODE_TRAIN] = "train", [MODE_INFER] = "infer", NULL } };

const struct input *const backward_inputs[] = { &input_input, &gradient_input, &lengths_input, &mask_input, &mode_input,
	&seed_input, &sync_input, NULL };

static int
choose_mode(const struct request *rq, bool *train, struct err *e)
{
	uint64_t mode = MODE_TRAIN;

	if (option_get(rq, &mode_input, &mode, e) < 0)
		return -1;
	*train = mode == MODE_TRAIN;
	return 0;
}

/* The seed by which train shuffled. */
static int
choose_seed(const struct request *rq, struct call *c, struct err *e)
{
	bool given;

	if (seed_options_get(rq, &c->seed, &given, e) < 0)
		return -1;
	if (!given && rq->definition->shuffle && c->train)
		return err_fail(e, ERR_BAD_PARAMETER, "the layer shuffles: send the \"seed\" that train answered");
	return 0;
}

/* The gradient by the output has the output's shape and datatype, which are the input's. */
static int
check_gradient(const struct call *c, struct err *e)
{
	const struct tensor *x = c->tensor, *g = c->gradient;

	if (g->datatype != x->datatype)
		return err_fail(e, ERR_BAD_TENSOR,
		    "\"grad_output\" is %s and \"input\" is %s: both must have the same datatype",
		    datatype_name(g->datatype), datatype_name(x->datatype));
	if (g->rank == x->rank && memcmp(g->shape, x->shape, x->rank * sizeof(x->shape[0])) == 0)
		return 0;
	err_set(e, ERR_SHAPE_MISMATCH, "\"grad_output\" must have the shape of \"input\"");
	tensor_shape_text(x->shape, x->rank, e->expected, sizeof(e->expected));
	tensor_shape_text(g->shape, g->rank, e->actual, sizeof(e->actual));
	return -1;
}

/* The gradient by a parameter as a tensor of the parameter's shape. */
static void
as_tensor(const struct request *rq, double *values, size_t n, struct tensor *out)
{
	const struct definition *d = rq->definition;

	*out = (struct tensor){ .datatype = DATATYPE_FP64, .rank = 1, .shape = { n }, .count = n, .values = values };
	if (definition_is_shaped(d)) {
		out->rank = d->normalized_rank;
		memcpy(out->shape, d->normalized_shape, sizeof(out->shape));
	}
}

/* Kept between the steps of the request. */
struct backward {
	struct call call;
	struct tensor weight, bias; /* the gradients by them */
};

static void
answer(struct request *rq, struct backward *w)
{
	const struct definition *d = rq->definition;
	const size_t n = definition_parameter_count(d, w->call.view.feature);

	as_tensor(rq, w->call.grad_weight, n, &w->weight);
	as_tensor(rq, w->call.grad_bias, n, &w->bias);
	reply_tensor(&rq->reply, "grad_input", w->call.gradient);
	reply_tensor(&rq->reply, "grad_weight", d->affine ? &w->weight : NULL);
	reply_tensor(&rq->reply, "grad_bias", d->bias ? &w->bias : NULL);
	reply_end(&rq->reply);
	reply_revision(&rq->reply, rq->state->revision);
}

static int
start_shard(struct request *rq, struct backward *w, bool train, struct err *e)
{
	if (rq->definition->clip > 0 || !train)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync\" needs mode \"train\" and a layer without \"clip\"");
	if (call_backward_shard(&w->call, &rq->member.shard, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_BACKWARD, &w->call);
	return 0;
}

static int
answer_alone(struct request *rq, struct backward *w, struct err *e)
{
	if (call_backward(&w->call, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_BACKWARD, &w->call);
	answer(rq, w);
	return 0;
}

int
backward_start(struct request *rq, struct err *e)
{
	struct backward *w = workspace_alloc(&rq->workspace, sizeof(*w), e);
	struct call *c;
	bool train;

	if (w == NULL)
		return -1;
	rq->scratch = w;
	c = &w->call;
	*c = request_call(rq, rq->state);
	if (choose_mode(rq, &train, e) < 0)
		return -1;
	/* As train has normalized the input. */
	c->train = train && !definition_by_running(rq->definition) && !request_is_frozen(rq);
	if (choose_seed(rq, c, e) < 0 || input_need_tensor(rq, &input_input, &c->tensor, e) < 0 ||
	    input_need_tensor(rq, &gradient_input, &c->gradient, e) < 0 ||
	    request_check_answer(rq, c->gradient, e) < 0 || call_fit(c, e) < 0 || check_gradient(c, e) < 0 ||
	    mask_options_get(rq, rq->definition, c->tensor, &c->mask, e) < 0 || sync_options_get(rq, e) < 0)
		return -1;
	if (rq->sync_call != NULL)
		rq->sync_call->backward = true;
	if (train && !c->train)
		request_sync_if_begun(rq);
	if (rq->sync_call != NULL)
		return start_shard(rq, w, train, e);
	return answer_alone(rq, w, e);
}

int
backward_joined(struct request *rq, struct err *e)
{
	struct backward *w = rq->scratch;
	const struct sync_result *r = rq->member.result;

	if (r == NULL)
		return answer_alone(rq, w, e);
	if (!r->whole.empty && call_backward_shard_output(&w->call, &r->whole, e) < 0)
		return -1;
	answer(rq, w);
	return 0;
}
