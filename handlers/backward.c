/* SPDX-License-Identifier: MIT */
/*
 * POST .../backward: the gradients by input, weight and bias, from the input and the gradient by the output. In mode
 * "train" they flow through the moments of the input, as after train; in mode "infer" the running statistics are
 * constants. Changes nothing.
 */
#include <math.h>
#include <string.h>

#include "base/suggest.h"
#include "handlers/backward.h"
#include "handlers/handlers.h"
#include "handlers/input.h"
#include "handlers/mask_options.h"
#include "handlers/reply.h"
#include "handlers/seed_options.h"
#include "handlers/sync_options.h"

static const char *const members[] = { "input", "grad_output", "mode", "seed", "lengths", "mask", "sync", NULL };

/* The slots of this route, in routes.c's order. */
enum { SLOT_INPUT, SLOT_GRADIENT, SLOT_MASK };

static int
choose_mode(const struct request *rq, const struct cJSON *body, bool *train, struct err *e)
{
	const struct cJSON *member = envelope_get(body, "mode");
	const char *text = request_query(rq, "mode");
	char near[SUGGEST_BYTES], shown[ENVELOPE_SHOWN_BYTES];

	if (text != NULL && member != NULL)
		return err_fail(e, ERR_BAD_PARAMETER, "\"mode\" is given both in the query and in the body");
	if (member != NULL)
		text = envelope_type(member) == ENVELOPE_STRING ? envelope_string(member) : "";
	*train = text == NULL || strcmp(text, "train") == 0;
	if (!*train && strcmp(text, "infer") != 0)
		return err_fail(e, ERR_BAD_PARAMETER, "\"mode\" must be \"train\" or \"infer\", not %s%s",
		    member != NULL ? envelope_shown(member, shown) : text,
		    suggest_among(text, (const char *const[]){ "train", "infer", NULL }, near));
	return 0;
}

/* What was shuffled by a seed in training goes back by the same. */
static int
choose_seed(const struct request *rq, const struct cJSON *body, struct backward *w, struct err *e)
{
	bool given;

	if (seed_options_get(rq, body, &w->seed, &given, e) < 0)
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
	reply_named_tensor(rq, "grad_input", w->g);
	reply_more(rq, "grad_weight", d->affine ? &w->tensors[0] : NULL);
	reply_more(rq, "grad_bias", d->bias ? &w->tensors[1] : NULL);
	reply_end(&rq->reply);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}

int
backward(struct request *rq, struct err *e)
{
	struct backward *w = arena_alloc(&rq->workspace.arena, sizeof(*w));
	const struct cJSON *body;
	size_t n;

	if (w == NULL)
		return err_fail_memory(e);
	rq->scratch = w;
	w->workspace = &rq->workspace;
	w->definition = rq->definition;
	w->statistics = &rq->state->statistics;
	w->layer = rq->layer;
	w->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	if (request_object(rq, members, &body, e) < 0 || choose_mode(rq, body, &w->train, e) < 0 ||
	    choose_seed(rq, body, w, e) < 0 || request_tensor(rq, SLOT_INPUT, "input", &w->x, e) < 0 ||
	    request_tensor(rq, SLOT_GRADIENT, "grad_output", &w->g, e) < 0 || request_check_answer(rq, w->g, e) < 0 ||
	    forward_view(rq->definition, rq->state->statistics.features, w->x, &w->view, e) < 0 ||
	    check_gradient(w, e) < 0 || mask_options_get(rq, rq->definition, body, SLOT_MASK, w->x, &w->mask, e) < 0)
		return -1;
	n = definition_parameter_count(rq->definition, w->view.feature);
	if (workspace_doubles(&rq->workspace, n, &w->weight, e) < 0 ||
	    workspace_doubles(&rq->workspace, n, &w->bias, e) < 0)
		return -1;
	if (sync_options_get(rq, body, e) < 0)
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
