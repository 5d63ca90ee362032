/* SPDX-License-Identifier: MIT */
/*
 * The gradients by input, weight and bias. Where the moments are for each channel, of a batch or running, they come
 * from sums over its values; where each sample has its own, the kernels measure them again.
 */
#include "layer/gradients.h"

#include <string.h>

#include "layer/parts.h"
#include "norm/backward.h"
#include "norm/normalize.h"
#include "norm/renorm.h"

int
gradients_refuse(const struct definition *d, const struct piece *g, struct err *e)
{
	char where[FORWARD_WHERE_BYTES];

	return err_fail(e, ERR_NON_FINITE_INPUT,
	    "%s: a gradient is not finite: the input or \"grad_output\" is not, or it overflows%s",
	    forward_where(d, &g->tensor, g->view, where),
	    forward_eps(d, g->tensor.datatype) == 0 ? ", or the input is constant while \"eps\" is 0" : "");
}

int
gradients_channels_init(struct workspace *ws, size_t n, struct channels *c, struct err *e)
{
	double **const arrays[] = { &c->mean, &c->rstd, &c->weight, &c->bias, &c->r, &c->d, &c->r_weight, &c->d_bias };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (workspace_doubles(ws, n, arrays[i], e) < 0)
			return -1;
	return workspace_doubles(ws, 3 * n, &c->scratch, e);
}

/* The gradient is 0 where the output was clipped, which a second forward pass, without clipping, tells. */
static int
clip(struct backward *w, const struct piece *x, struct scale_shift p, const double *mean, const double *var,
    double *scratch, struct piece *g, struct err *e)
{
	const size_t size = datatype_size(x->tensor.datatype);
	struct definition unclipped = *w->definition;
	struct crew *crew = w->workspace->crew;
	struct tensor y = x->tensor;
	int result;

	if (w->definition->clip == 0)
		return 0;
	unclipped.clip = 0;
	/* No piece has more values than the whole tensor. */
	if (w->output == NULL && (w->output = workspace_values(w->workspace, w->x->count, size, e)) == NULL)
		return -1;
	y.values = memcpy(w->output, x->tensor.values, y.count * size);
	result = mean != NULL ? forward_by_statistics(crew, &unclipped, &y, x->view, mean, var, p, scratch, e) :
				forward_by_sample(crew, &unclipped, &y, x->view, p, e);
	if (result == 0)
		backward_clip(forward_real(y.datatype), g->tensor.values, y.values, y.count, w->definition->clip);
	return result;
}

/* Adds a piece's gradients by `n` weights and biases to the batch's. */
static void
add(struct backward *w, const struct channels *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		w->weight[i] += c->weight[i];
		w->bias[i] += c->bias[i];
	}
}

/*
 * By numbers for each channel: batch_norm, whose moments are of `n` values a channel, and the running statistics of
 * either kind (0). c->rstd comes as the variance. Adds to the gradients by weight and bias. To the gradient the r and d
 * of renormalization are constants.
 */
static int
by_channels(struct backward *w, const struct piece *x, struct piece *g, size_t n, struct channels *c, struct err *e)
{
	const size_t features = x->view.feature;
	const struct definition *d = w->definition;
	const struct statistics *s = w->statistics;
	const bool renorm = n > 0 && d->renorm;
	struct scale_shift p = w->parameters;

	if (renorm) {
		const struct renorm_limits limits = { .eps = d->eps, .r_max = d->r_max, .d_max = d->d_max };

		renorm_correct(&limits, features, c->mean, c->rstd, s->mean, s->var, NULL, NULL, c->r, c->d);
		renorm_correct(
		    &limits, features, c->mean, c->rstd, s->mean, s->var, p.weight, p.bias, c->r_weight, c->d_bias);
		p = (struct scale_shift){ c->r_weight, c->d_bias };
	}
	if (clip(w, x, p, c->mean, c->rstd, c->scratch, g, e) < 0)
		return -1;
	normalize_rstd(c->rstd, d->eps, features, c->rstd);
	if (!parts_backward_by_feature(w->workspace->crew, forward_real(x->tensor.datatype), x->tensor.values,
		g->tensor.values, x->view, n, c->mean, c->rstd, p.weight, c->weight, c->bias, c->scratch))
		return gradients_refuse(d, g, e);
	for (size_t f = 0; f < features && renorm; f++)
		c->weight[f] = c->weight[f] * c->r[f] + c->bias[f] * c->d[f];
	add(w, c, features);
	return 0;
}

/* In inference: by the running statistics. */
static int
by_running(struct backward *w, const struct piece *x, struct piece *g, struct channels *c, struct err *e)
{
	const struct statistics *s = w->statistics;

	if (s->mean == NULL)
		return err_fail(e, ERR_NOT_TRAINED,
		    "layer \"%s\" was never trained and no statistics were put: train it, or PUT them", w->layer);
	memcpy(c->mean, s->mean, w->view.feature * sizeof(*c->mean));
	memcpy(c->rstd, s->var, w->view.feature * sizeof(*c->rstd));
	return by_channels(w, x, g, 0, c, e);
}

/* By the moments of each piece of the batch. */
static int
by_batch(struct backward *w, const struct piece *x, struct piece *g, struct channels *c, struct err *e)
{
	const size_t count = norm_view_count(x->view);

	if (forward_check_count(count, e) < 0 ||
	    forward_moments(w->workspace->crew, &x->tensor, x->view, c->mean, c->rstd, e) < 0)
		return -1;
	return by_channels(w, x, g, count, c, e);
}

/* By each sample's own moments: every other kind. */
static int
by_sample(struct backward *w, const struct piece *x, struct piece *g, struct channels *c, struct err *e)
{
	const struct definition *d = w->definition;
	const enum norm_real real = forward_real(x->tensor.datatype);
	const struct norm_view v = x->view;
	const size_t groups = d->kind == KIND_GROUP_NORM ? d->num_groups : v.feature;
	const double eps = forward_eps(d, x->tensor.datatype);
	bool finite;

	if (clip(w, x, w->parameters, NULL, NULL, NULL, g, e) < 0)
		return -1;
	if (definition_is_shaped(d))
		finite = parts_backward_rows(w->workspace->crew, real, x->tensor.values, g->tensor.values, v.feature,
		    v.inner, d->kind == KIND_LAYER_NORM, eps, w->parameters.weight, c->weight, c->bias, c->scratch);
	else
		finite = parts_backward_groups(w->workspace->crew, real, x->tensor.values, g->tensor.values, v, groups,
		    eps, w->parameters.weight, c->weight, c->bias, c->scratch);
	if (!finite)
		return gradients_refuse(d, g, e);
	add(w, c, definition_parameter_count(d, v.feature));
	return 0;
}

/* The memory of by_sample: for as many bands as the whole tensor has, which is as many as any piece. */
static int
init_samples(const struct backward *w, struct channels *c, struct err *e)
{
	const struct norm_view v = w->view;
	const size_t n = definition_parameter_count(w->definition, v.feature);
	const size_t scratch = definition_is_shaped(w->definition) ?
	    BACKWARD_ROWS_SCRATCH * v.inner * backward_rows_bands(v.feature, v.inner) :
	    BACKWARD_GROUPS_SCRATCH * v.feature * backward_groups_bands(v);

	*c = (struct channels){ 0 };
	return workspace_doubles(w->workspace, n, &c->weight, e) < 0 ||
		workspace_doubles(w->workspace, n, &c->bias, e) < 0 ||
		workspace_doubles(w->workspace, scratch, &c->scratch, e) < 0 ?
	    -1 :
	    0;
}

/* What of `x` and `g` is one piece. */
typedef int
piece_backward(struct backward *w, const struct piece *x, struct piece *g, struct channels *c, struct err *e);

static int
by_pieces(struct backward *w, const struct pieces *pieces, piece_backward *backward, struct channels *c, struct err *e)
{
	struct tensor x_values, g_values;
	int result = 0;

	if (pieces_take(w->workspace, pieces, w->x, &x_values, e) < 0 ||
	    pieces_take(w->workspace, pieces, w->g, &g_values, e) < 0)
		return -1;
	for (size_t i = 0; i < pieces->count && result == 0; i++) {
		const struct piece x = pieces_get(pieces, &x_values, i);
		struct piece g = pieces_get(pieces, &g_values, i);

		result = backward(w, &x, &g, c, e);
	}
	pieces_put(w->workspace, pieces, &g_values, w->g);
	return result;
}

int
gradients_compute(struct backward *w, struct err *e)
{
	const struct definition *d = w->definition;
	const bool running = !w->train && definition_tracks(d), channels = running || d->kind == KIND_BATCH_NORM;
	struct pieces pieces;
	struct channels c;

	if (pieces_cut(w->workspace, d, w->x, w->view, &w->mask, running ? PIECES_WHOLE : pieces_way_of(d, w->train),
		w->seed, &pieces, e) < 0 ||
	    (channels ? gradients_channels_init(w->workspace, w->view.feature, &c, e) : init_samples(w, &c, e)) < 0)
		return -1;
	return by_pieces(w, &pieces, running ? by_running : channels ? by_batch : by_sample, &c, e);
}
