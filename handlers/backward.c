/*
 * POST .../backward: the gradients by input, weight and bias, from the input and the gradient by the output. In mode "train" they flow
 * through the moments of the input, as after train; in mode "infer" the running statistics are constants. Changes nothing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/ghosts.h"
#include "handlers/handlers.h"
#include "handlers/own_statistics.h"
#include "handlers/parts.h"
#include "handlers/reply.h"
#include "handlers/sync_options.h"
#include "norm/backward.h"
#include "norm/mask.h"
#include "norm/normalize.h"
#include "norm/renorm.h"

static const char *const members[] = { "input", "grad_output", "mode", "seed", "lengths", "mask", "sync", NULL };

/* The slots of this route, in routes.c's order. */
enum { SLOT_INPUT, SLOT_GRADIENT, SLOT_MASK };

/* Numbers for each channel, of one piece of the batch. */
struct channels {
	double *mean, *rstd;
	double *weight, *bias;     /* gradients */
	double *r, *d;             /* of renormalization, */
	double *r_weight, *d_bias; /* and what they make of weight and bias */
	double *scratch;           /* 3 for each channel */
};

struct backward {
	struct tensor *x, *g;
	struct norm_view view;
	struct scale_shift parameters;
	bool train;
	uint64_t seed;
	struct mask mask;
	double *weight, *bias;    /* the gradients by them, definition_parameter_count values each */
	struct tensor tensors[2]; /* the same as tensors, for the answer */
	struct channels channels; /* of a shard of a synchronized step */
};

static int
choose_mode(const struct request *rq, const struct cJSON *body, bool *train, struct err *e)
{
	const struct cJSON *member = envelope_get(body, "mode");
	const char *text = request_query(rq, "mode");

	if (text != NULL && member != NULL)
		return err_set(e, ERR_BAD_PARAMETER, "\"mode\" stands in the query and in the body");
	if (member != NULL)
		text = envelope_type(member) == ENVELOPE_STRING ? envelope_string(member) : "";
	*train = text == NULL || strcmp(text, "train") == 0;
	if (!*train && strcmp(text, "infer") != 0)
		return err_set(e, ERR_BAD_PARAMETER, "\"mode\" must be \"train\" or \"infer\"");
	return 0;
}

/* What was shuffled by a seed in training goes back by the same. */
static int
choose_seed(const struct request *rq, const struct cJSON *body, struct backward *w, struct err *e)
{
	bool given;

	if (ghosts_seed(rq, body, &w->seed, &given, e) < 0)
		return -1;
	if (!given && rq->definition->shuffle && w->train)
		return err_set(e, ERR_BAD_PARAMETER, "the layer shuffles: name the \"seed\" that train answered");
	return 0;
}

/* The gradient is of the output, which has the input's shape and datatype. */
static int
check_gradient(const struct backward *w, struct err *e)
{
	const struct tensor *x = w->x, *g = w->g;

	if (g->datatype != x->datatype)
		return err_set(e, ERR_BAD_TENSOR, "\"grad_output\" is %s and \"input\" is %s: they must be of one datatype",
		    datatype_name(g->datatype), datatype_name(x->datatype));
	if (g->rank == x->rank && memcmp(g->shape, x->shape, x->rank * sizeof(x->shape[0])) == 0)
		return 0;
	(void)err_set(e, ERR_SHAPE_MISMATCH, "\"grad_output\" must have the shape of \"input\"");
	tensor_shape_text(x->shape, x->rank, e->expected, sizeof(e->expected));
	tensor_shape_text(g->shape, g->rank, e->actual, sizeof(e->actual));
	return -1;
}

/* A copy of a tensor's values, counted; the caller frees it. */
static int
copy_values(struct request *rq, const struct tensor *t, void **out, struct err *e)
{
	const size_t bytes = t->count * datatype_size(t->datatype);

	if (!budget_take(&rq->memory, bytes))
		return err_set_budget(e);
	*out = malloc(bytes + 1);
	if (*out == NULL)
		return err_set_memory(e);
	memcpy(*out, t->values, bytes);
	return 0;
}

/* The gradient is 0 where the output was clipped, which a second forward pass, without clipping, tells. */
static int
clip(struct request *rq, struct backward *w, const struct tensor *x, struct norm_view view, struct scale_shift p,
    const double *mean, const double *var, double *scratch, struct tensor *g, struct err *e)
{
	struct definition unclipped = *rq->definition;
	struct tensor y = *x;
	int result;

	if (rq->definition->clip == 0)
		return 0;
	unclipped.clip = 0;
	if (copy_values(rq, x, &y.values, e) < 0)
		return -1;
	result = mean != NULL ? forward_by_statistics(rq->crew, &unclipped, &y, view, mean, var, p, scratch, e) :
				own_statistics_normalize(rq, &unclipped, &y, view, p, false, &w->mask, e);
	if (result == 0)
		backward_clip(forward_real(g->datatype), g->values, y.values, y.count, rq->definition->clip);
	free(y.values);
	return result;
}

static int
refuse_result(struct err *e)
{
	return err_set(
	    e, ERR_NON_FINITE_INPUT, "a gradient is not finite: the input or \"grad_output\" is not, or it overflows");
}

static int
allocate_channels(struct request *rq, size_t n, struct channels *c, struct err *e)
{
	double **const arrays[] = { &c->mean, &c->rstd, &c->weight, &c->bias, &c->r, &c->d, &c->r_weight, &c->d_bias };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (request_doubles(rq, n, arrays[i], e) < 0)
			return -1;
	return request_doubles(rq, 3 * n, &c->scratch, e);
}

/* The gradient as it comes in, where there is padding (`keep` is not NULL), whose own share depends on it alone. */
static int
save_gradient(struct request *rq, const struct tensor *g, const unsigned char *keep, void **was, struct err *e)
{
	*was = NULL;
	return keep != NULL ? copy_values(rq, g, was, e) : 0;
}

/* After the kernel, whose factors of the gradient are by_g: the padding's share. Frees `was`; returns whether all is finite. */
static bool
scale_padding(struct tensor *g, struct norm_view view, const unsigned char *keep, void *was, const double *by_g, bool finite)
{
	if (keep != NULL)
		finite = mask_scale_features(forward_real(g->datatype), g->values, was, view, keep, by_g);
	free(was);
	return finite;
}

/*
 * By numbers for each channel: batch_norm, whose moments are of `n` values a channel, all or those that `keep` says, and the running statistics of
 * either kind (0). c->rstd comes as the variance. Adds to the gradients by weight and bias. To the gradient the r and d of
 * renormalization are constants.
 */
static int
by_channels(struct request *rq, struct backward *w, struct tensor *x, struct tensor *g, struct norm_view view, size_t n,
    const unsigned char *keep, struct channels *c, struct err *e)
{
	const struct definition *d = rq->definition;
	const struct statistics *s = &rq->state->statistics;
	const bool renorm = n > 0 && d->renorm;
	struct scale_shift p = w->parameters;
	void *was;
	bool finite;

	if (renorm) {
		const struct renorm_limits limits = { .eps = d->eps, .r_max = d->r_max, .d_max = d->d_max };

		renorm_correct(&limits, view.feature, c->mean, c->rstd, s->mean, s->var, NULL, NULL, c->r, c->d);
		renorm_correct(
		    &limits, view.feature, c->mean, c->rstd, s->mean, s->var, p.weight, p.bias, c->r_weight, c->d_bias);
		p = (struct scale_shift){ c->r_weight, c->d_bias };
	}
	if (clip(rq, w, x, view, p, c->mean, c->rstd, c->scratch, g, e) < 0 || save_gradient(rq, g, keep, &was, e) < 0)
		return -1;
	normalize_rstd(c->rstd, d->eps, view.feature, c->rstd);
	finite = parts_backward_by_feature(rq->crew, forward_real(x->datatype), x->values, g->values, view, n, c->mean, c->rstd,
	    p.weight, c->weight, c->bias, c->scratch);
	if (!scale_padding(g, view, keep, was, c->scratch, finite))
		return refuse_result(e);
	for (size_t f = 0; f < view.feature; f++) {
		w->weight[f] += renorm ? c->weight[f] * c->r[f] + c->bias[f] * c->d[f] : c->weight[f];
		w->bias[f] += c->bias[f];
	}
	return 0;
}

/* In inference: by the running statistics. */
static int
by_running(struct request *rq, struct backward *w, struct channels *c, struct err *e)
{
	const struct statistics *s = &rq->state->statistics;

	if (s->mean == NULL)
		return err_set(e, ERR_NOT_TRAINED,
		    "layer \"%s\" was never trained and no statistics were put: train it, or PUT them", rq->layer);
	memcpy(c->mean, s->mean, w->view.feature * sizeof(*c->mean));
	memcpy(c->rstd, s->var, w->view.feature * sizeof(*c->rstd));
	return by_channels(rq, w, w->x, w->g, w->view, 0, NULL, c, e);
}

/* One piece. */
static int
by_piece(struct request *rq, struct backward *w, const struct ghosts *ghosts, size_t i, struct channels *c, struct err *e)
{
	struct norm_view view;
	struct tensor x = ghosts_piece(ghosts, w->x, w->view, i, &view), g = ghosts_piece(ghosts, w->g, w->view, i, &view);
	const unsigned char *keep = w->mask.keep;
	size_t count;

	if (ghosts_moments(rq, ghosts, i, &x, view, &w->mask, c->mean, c->rstd, &count, e) < 0)
		return -1;
	if (keep != NULL)
		keep += i * ghosts->each * w->mask.positions;
	return by_channels(rq, w, &x, &g, view, count, keep, c, e);
}

/* By the moments of each piece of the batch. */
static int
by_batch(struct request *rq, struct backward *w, struct channels *c, struct err *e)
{
	struct ghosts ghosts = ghosts_cut(1, 0, 1);
	int result = 0;

	if (w->train && ghosts_init(rq, rq->definition, w->x, w->seed, &ghosts, e) < 0)
		return -1;
	ghosts_shuffle(&ghosts, w->x);
	ghosts_shuffle(&ghosts, w->g);
	ghosts_shuffle_mask(&ghosts, &w->mask);
	for (size_t i = 0; i < ghosts.count && result == 0; i++)
		result = by_piece(rq, w, &ghosts, i, c, e);
	ghosts_unshuffle(&ghosts, w->g);
	return result;
}

/* Measures what is no padding, for the kernels. */
static int
measure_padded(struct request *rq, struct backward *w, struct backward_padding *out, struct err *e)
{
	const struct definition *d = rq->definition;
	const size_t runs = mask_runs(d, w->view);
	size_t *count = request_array(rq, runs, sizeof(*count), e);
	double *mean, *rstd;

	if (count == NULL)
		return -1;
	if (request_doubles(rq, runs, &mean, e) < 0 || request_doubles(rq, runs, &rstd, e) < 0 ||
	    mask_run_moments(rq, d, w->x, w->view, &w->mask, mean, rstd, count, e) < 0 ||
	    copy_values(rq, w->g, &out->scratch, e) < 0)
		return -1;
	normalize_rstd(rstd, forward_eps(d, w->x->datatype), runs, rstd);
	for (size_t r = 0; r < runs; r++)
		rstd[r] = count[r] == 0 ? 0 : rstd[r];
	out->mask = w->mask.keep;
	out->positions = w->mask.positions;
	out->channels = w->x->count / w->mask.samples / w->mask.positions;
	out->mean = mean;
	out->rstd = rstd;
	out->count = count;
	return 0;
}

/* By each sample's own moments: every other kind. */
static int
by_sample(struct request *rq, struct backward *w, struct err *e)
{
	const struct definition *d = rq->definition;
	const enum norm_real real = forward_real(w->x->datatype);
	const bool shaped = definition_is_shaped(d);
	const size_t groups = d->kind == KIND_GROUP_NORM ? d->num_groups : w->view.feature;
	const double eps = forward_eps(d, w->x->datatype);
	struct backward_padding padding = { 0 }, *padded = w->mask.keep != NULL ? &padding : NULL;
	const size_t scratch_size = shaped ?
	    BACKWARD_ROWS_SCRATCH * w->view.inner * backward_rows_bands(w->view.feature, w->view.inner) :
	    BACKWARD_GROUPS_SCRATCH * w->view.feature * backward_groups_bands(w->view);
	double *scratch;
	bool finite;

	if (forward_check_values(d, w->view, e) < 0 || request_doubles(rq, scratch_size, &scratch, e) < 0 ||
	    clip(rq, w, w->x, w->view, w->parameters, NULL, NULL, scratch, w->g, e) < 0 ||
	    (padded != NULL && measure_padded(rq, w, padded, e) < 0))
		return -1;
	if (shaped)
		finite = parts_backward_rows(rq->crew, real, w->x->values, w->g->values, w->view.feature, w->view.inner,
		    d->kind == KIND_LAYER_NORM, eps, w->parameters.weight, padded, w->weight, w->bias, scratch);
	else
		finite = parts_backward_groups(rq->crew, real, w->x->values, w->g->values, w->view, groups, eps,
		    w->parameters.weight, padded, w->weight, w->bias, scratch);
	free(padding.scratch);
	return finite ? 0 : refuse_result(e);
}

static int
compute(struct request *rq, struct backward *w, struct err *e)
{
	const struct definition *d = rq->definition;
	const bool running = !w->train && definition_tracks(d);
	struct channels c;

	if (!running && d->kind != KIND_BATCH_NORM)
		return by_sample(rq, w, e);
	if (allocate_channels(rq, w->view.feature, &c, e) < 0)
		return -1;
	return running ? by_running(rq, w, &c, e) : by_batch(rq, w, &c, e);
}

static int
check_finite(const double *gradient, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(gradient[i]))
			return refuse_result(e);
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

	if ((d->affine && check_finite(w->weight, n, e) < 0) || (d->bias && check_finite(w->bias, n, e) < 0))
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

/* A shard of a synchronized step: its moments, and its sums about its own mean. */
static int
measure_shard(struct request *rq, struct backward *w, struct err *e)
{
	struct sync_shard *s = &rq->member.shard;
	struct channels *c = &w->channels;
	size_t count = 0;

	if (rq->definition->clip > 0 || !w->train)
		return err_set(e, ERR_BAD_PARAMETER, "\"sync\" is for mode train, of a layer that does not clip");
	if (allocate_channels(rq, w->view.feature, c, e) < 0)
		return -1;
	rq->sync_backward = true;
	if (w->x->count > 0) {
		count = norm_view_count(w->view);
		if ((w->mask.keep != NULL ? mask_moments(rq, w->x, w->view, w->mask.keep, c->mean, c->rstd, &count, e) :
					    forward_moments(rq->crew, w->x, w->view, c->mean, c->rstd, e)) < 0)
			return -1;
		normalize_rstd(c->rstd, rq->definition->eps, w->view.feature, c->scratch);
		parts_backward_sums(rq->crew, forward_real(w->x->datatype), w->x->values, w->g->values, w->view, c->mean,
		    c->scratch, c->bias, c->weight);
	}
	*s = (struct sync_shard){ .count = count,
		.features = w->view.feature,
		.mean = c->mean,
		.var = c->rstd,
		.sum = c->bias,
		.product = c->weight };
	return 0;
}

/*
 * The shard's gradient by the sums of the whole batch. Those by weight and bias are the shard's own part, as PyTorch's SyncBatchNorm gives
 * them: who trains adds them up.
 */
static int
by_whole_batch(struct request *rq, struct backward *w, struct err *e)
{
	const struct sync_result *r = rq->member.result;
	struct channels *c = &w->channels;
	const unsigned char *keep = w->mask.keep;
	void *was;
	bool finite;

	if (w->x->count == 0)
		return 0;
	if (forward_check_count(r->count, e) < 0 || save_gradient(rq, w->g, keep, &was, e) < 0)
		return -1;
	normalize_rstd(r->var, rq->definition->eps, w->view.feature, c->rstd);
	for (size_t f = 0; f < w->view.feature; f++) {
		w->bias[f] = c->bias[f];
		w->weight[f] = (c->weight[f] + (c->mean[f] - r->mean[f]) * c->bias[f]) * c->rstd[f];
	}
	finite = parts_backward_by_sums(rq->crew, forward_real(w->x->datatype), w->x->values, w->g->values, w->view, r->count,
	    r->mean, c->rstd, w->parameters.weight, r->sum, r->product, c->scratch);
	return scale_padding(w->g, w->view, keep, was, c->scratch, finite) ? 0 : refuse_result(e);
}

int
backward_joined(struct request *rq, struct err *e)
{
	struct backward *w = rq->scratch;

	return by_whole_batch(rq, w, e) < 0 ? -1 : answer(rq, w, w->view.feature, e);
}

int
backward(struct request *rq, struct err *e)
{
	struct backward *w = arena_alloc(&rq->arena, sizeof(*w));
	const struct cJSON *body;
	size_t n;

	if (w == NULL)
		return err_set_memory(e);
	rq->scratch = w;
	w->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	if (request_object(rq, members, &body, e) < 0 || choose_mode(rq, body, &w->train, e) < 0 ||
	    choose_seed(rq, body, w, e) < 0 || request_tensor(rq, SLOT_INPUT, "input", &w->x, e) < 0 ||
	    request_tensor(rq, SLOT_GRADIENT, "grad_output", &w->g, e) < 0 || request_check_answer(rq, w->g, e) < 0 ||
	    forward_view(rq->definition, rq->state->statistics.features, w->x, &w->view, e) < 0 || check_gradient(w, e) < 0 ||
	    mask_get(rq, rq->definition, body, SLOT_MASK, w->x, &w->mask, e) < 0)
		return -1;
	n = definition_parameter_count(rq->definition, w->view.feature);
	if (request_doubles(rq, n, &w->weight, e) < 0 || request_doubles(rq, n, &w->bias, e) < 0)
		return -1;
	if (sync_options_get(rq, body, e) < 0)
		return -1;
	if (rq->sync_call != NULL)
		return measure_shard(rq, w, e);
	if (w->x->count > 0 && compute(rq, w, e) < 0)
		return -1;
	return answer(rq, w, n, e);
}
