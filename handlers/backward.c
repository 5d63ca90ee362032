/* SPDX-License-Identifier: MIT */
/*
 * POST .../backward: the gradients by input, weight and bias, from the input and the gradient by the output. In mode
 * "train" they flow through the moments of the input, as after train; in mode "infer" the running statistics are
 * constants. Changes nothing.
 */
#include <math.h>
#include <string.h>

#include "handlers/backward.h"
#include "handlers/handlers.h"
#include "handlers/mask_options.h"
#include "handlers/reply.h"
#include "handlers/seed_options.h"
#include "handlers/sync_options.h"

static const struct input input_input = {
	.name = "input", .type = INPUT_TENSOR, .places = INPUT_BODY, .datatype = DATATYPE_FP32, .by_layer = true
};
static const struct input gradient_input = {
	.name = "grad_output", .type = INPUT_TENSOR, .places = INPUT_BODY, .datatype = DATATYPE_FP32, .by_layer = true
};

enum mode { MODE_TRAIN, MODE_INFER };
static const struct input mode_input = { .name = "mode",
	.type = INPUT_CHOICE,
	.places = INPUT_ANYWHERE,
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

/* What was shuffled by a seed in training goes back by the same. */
static int
choose_seed(const struct request *rq, struct backward *w, struct err *e)
{
	bool given;

	if (seed_options_get(rq, &w->seed, &given, e) < 0)
		return -1;
	if (!given && rq->definition->shuffle && w->train)
		return err_fail(e, ERR_BAD_PARAMETER, "the layer shuffles: name the \"seed\" that train answered");
	return 0;
}

/* The gradient is of the output, which has the input's shape and datatype. */
static int
check_gradient(const struct backward *w, struct err *e)
{
	const struct tensor *x = w->x, *g = w->g;

	if (g->datatype != x->datatype)
		return err_fail(e, ERR_BAD_TENSOR,
		    "\"grad_output\" is %s and \"input\" is %s: they must be of one datatype",
		    datatype_name(g->datatype), datatype_name(x->datatype));
	if (g->rank == x->rank && memcmp(g->shape, x->shape, x->rank * sizeof(x->shape[0])) == 0)
		return 0;
	err_set(e, ERR_SHAPE_MISMATCH, "\"grad_output\" must have the shape of \"input\"");
	tensor_shape_text(x->shape, x->rank, e->expected, sizeof(e->expected));
	tensor_shape_text(g->shape, g->rank, e->actual, sizeof(e->actual));
	return -1;
}

static int
check_finite(const char *name, const double *gradient, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(gradient[i]))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "the gradient by \"%s\" is not finite at index %zu: the input or \"grad_output\" is not, "
			    "or it "
			    "overflows",
			    name, i);
	return 0;
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

static int
answer(struct request *rq, struct backward *w, size_t n, struct err *e)
{
	const struct definition *d = rq->definition;

	if ((d->affine && check_finite("weight", w->weight, n, e) < 0) ||
	    (d->bias && check_finite("bias", w->bias, n, e) < 0))
		return -1;
	as_tensor(rq, w->weight, n, &w->tensors[0]);
	as_tensor(rq, w->bias, n, &w->tensors[1]);
	reply_tensor(&rq->reply, "grad_input", w->g);
	reply_more(&rq->reply, "grad_weight", d->affine ? &w->tensors[0] : NULL);
	reply_more(&rq->reply, "grad_bias", d->bias ? &w->tensors[1] : NULL);
	reply_end(&rq->reply);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}

int
backward(struct request *rq, struct err *e)
{
	struct backward *w = arena_alloc(&rq->workspace.arena, sizeof(*w));
	size_t n;

	if (w == NULL)
		return err_fail_memory(e);
	rq->scratch = w;
	w->workspace = &rq->workspace;
	w->definition = rq->definition;
	w->statistics = &rq->state->statistics;
	w->layer = rq->layer;
	w->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	if (inputs_check_body(rq, e) < 0 || choose_mode(rq, &w->train, e) < 0 || choose_seed(rq, w, e) < 0 ||
	    input_need_tensor(rq, &input_input, &w->x, e) < 0 || input_need_tensor(rq, &gradient_input, &w->g, e) < 0 ||
	    request_check_answer(rq, w->g, e) < 0 ||
	    forward_view(rq->definition, rq->state->statistics.features, w->x, &w->view, e) < 0 ||
	    check_gradient(w, e) < 0 || mask_options_get(rq, rq->definition, w->x, &w->mask, e) < 0)
		return -1;
	n = definition_parameter_count(rq->definition, w->view.feature);
	if (workspace_doubles(&rq->workspace, n, &w->weight, e) < 0 ||
	    workspace_doubles(&rq->workspace, n, &w->bias, e) < 0)
		return -1;
	if (sync_options_get(rq, e) < 0)
		return -1;
	if (rq->sync_call != NULL)
		return backward_shard(rq, w, e);
	if (mask_check_counted(&w->mask, e) < 0)
		return -1;
	if (w->x->count > 0 && gradients_compute(w, e) < 0)
		return -1;
	return answer(rq, w, n, e);
}

int
backward_joined(struct request *rq, struct err *e)
{
	struct backward *w = rq->scratch;

	return backward_shard_output(rq, w, e) < 0 ? -1 : answer(rq, w, w->view.feature, e);
}
