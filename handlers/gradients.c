/*
 * The gradients by input, weight and bias. Where the moments are for each channel, of a batch or running, they come from sums over its values;
 * where each sample has its own, the kernels measure them again.
 */
#include "handlers/gradients.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "handlers/ghosts.h"
#include "handlers/own_statistics.h"
#include "handlers/parts.h"
#include "norm/backward.h"
#include "norm/mask.h"
#include "norm/normalize.h"
#include "norm/renorm.h"

int
gradients_refuse(struct err *e)
{
	return err_set(
	    e, ERR_NON_FINITE_INPUT, "a gradient is not finite: the input or \"grad_output\" is not, or it overflows");
}

int
gradients_channels_init(struct request *rq, size_t n, struct channels *c, struct err *e)
{
	double **const arrays[] = { &c->mean, &c->rstd, &c->weight, &c->bias, &c->r, &c->d, &c->r_weight, &c->d_bias };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (request_doubles(rq, n, arrays[i], e) < 0)
			return -1;
	return request_doubles(rq, 3 * n, &c->scratch, e);
}

/* A copy of a tensor's values, counted; the caller frees it. */
static int
copy_values(struct request *rq, const struct tensor *t, void **out, struct err *e)
{
	const size_t bytes = t->count * datatype_size(t->datatype);

	if (budget_ask(&rq->memory, bytes, e) < 0)
		return -1;
	*out = malloc(bytes + 1);
	if (*out == NULL)
		return err_set_memory(e);
	memory_large_pages(*out, bytes);
	memcpy(*out, t->values, bytes);
	return 0;
}

int
gradients_padding_save(struct request *rq, const struct tensor *g, const unsigned char *keep, void **was, struct err *e)
{
	*was = NULL;
	return keep != NULL ? copy_values(rq, g, was, e) : 0;
}

bool
gradients_padding_scale(
    struct tensor *g, struct norm_view view, const unsigned char *keep, void *was, const double *by_g, bool finite)
{
	if (keep != NULL)
		finite = mask_scale_features(forward_real(g->datatype), g->values, was, view, keep, by_g);
	free(was);
	return finite;
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
	if (clip(rq, w, x, view, p, c->mean, c->rstd, c->scratch, g, e) < 0 || gradients_padding_save(rq, g, keep, &was, e) < 0)
		return -1;
	normalize_rstd(c->rstd, d->eps, view.feature, c->rstd);
	finite = parts_backward_by_feature(rq->crew, forward_real(x->datatype), x->values, g->values, view, n, c->mean, c->rstd,
	    p.weight, c->weight, c->bias, c->scratch);
	if (!gradients_padding_scale(g, view, keep, was, c->scratch, finite))
		return gradients_refuse(e);
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
	size_t count;

	if (ghosts_moments(rq, ghosts, i, &x, view, &w->mask, c->mean, c->rstd, &count, e) < 0)
		return -1;
	return by_channels(rq, w, &x, &g, view, count, ghosts_piece_keep(ghosts, &w->mask, i), c, e);
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
	return finite ? 0 : gradients_refuse(e);
}

int
gradients_compute(struct request *rq, struct backward *w, struct err *e)
{
	const struct definition *d = rq->definition;
	const bool running = !w->train && definition_tracks(d);
	struct channels c;

	if (!running && d->kind != KIND_BATCH_NORM)
		return by_sample(rq, w, e);
	if (gradients_channels_init(rq, w->view.feature, &c, e) < 0)
		return -1;
	return running ? by_running(rq, w, &c, e) : by_batch(rq, w, &c, e);
}
