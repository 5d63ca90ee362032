/* SPDX-License-Identifier: MIT */
/*
 * The gradients by input, weight and bias. Where the moments are for each channel, of a batch or running, they come
 * from sums over its values; where each sample has its own, the kernels measure them again.
 */
#include <math.h>
#include <string.h>

#include "layer/channels.h"
#include "layer/forward.h"
#include "layer/measure.h"
#include "layer/pass_run.h"

int
channels_refuse(const struct call *c, const struct piece *g, struct err *e)
{
	char where[FORWARD_WHERE_BYTES];

	return err_fail(e, ERR_NON_FINITE_INPUT,
	    "%s: a gradient is not finite: the input or \"grad_output\" is not finite, or the gradient overflows%s",
	    forward_where(c, g, where), forward_eps(c) == 0 ? ", or the input is constant while \"eps\" is 0" : "");
}

static int
check_finite(const char *name, const double *gradient, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(gradient[i]))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "the gradient of \"%s\" is not finite at index %zu: the input or \"grad_output\" is not "
			    "finite, or the gradient overflows",
			    name, i);
	return 0;
}

int
channels_check(const struct call *c, struct err *e)
{
	const struct definition *d = c->definition;
	const size_t n = definition_parameter_count(d, c->view.feature);

	if (d->affine && check_finite("weight", c->grad_weight, n, e) < 0)
		return -1;
	return d->bias ? check_finite("bias", c->grad_bias, n, e) : 0;
}

int
channels_init(struct call *c, struct err *e)
{
	struct channels *ch = workspace_alloc(c->workspace, sizeof(*ch), e);
	double **const arrays[] = { &ch->weight, &ch->bias, &ch->rstd, &ch->r, &ch->d, &ch->r_weight, &ch->d_bias };
	const size_t features = c->view.feature, count = c->definition->renorm ? 7 : 3;

	if (ch == NULL)
		return -1;
	c->channels = ch;
	for (size_t i = 0; i < count; i++)
		if (workspace_doubles(c->workspace, features, arrays[i], e) < 0)
			return -1;
	if (workspace_doubles(c->workspace, 2 * features, &ch->room, e) < 0)
		return -1;
	return workspace_doubles(c->workspace, 3 * features, &c->scratch, e);
}

struct norm_pass
channels_pass(const struct call *c, const struct norm_op *op, const struct piece *x, const struct piece *g)
{
	struct norm_pass pass = piece_pass(op, x);

	pass.y = g->values;
	pass.grad_weight = c->channels->weight;
	pass.grad_bias = c->channels->bias;
	pass.scratch = c->scratch;
	return pass;
}

static const struct norm_op *
sample_op(const struct definition *d)
{
	return definition_is_shaped(d) ? &norm_rows_backward : &norm_groups_backward;
}

/* The memory of by_sample: for as many bands as the whole tensor has, which is as many as any piece. */
static int
init_samples(struct call *c, struct err *e)
{
	const struct norm_view v = c->view;
	const size_t n = definition_parameter_count(c->definition, v.feature);
	const size_t scratch = sample_op(c->definition)->scratch(v);

	c->channels = workspace_alloc(c->workspace, sizeof(*c->channels), e);
	if (c->channels == NULL || workspace_doubles(c->workspace, n, &c->channels->weight, e) < 0 ||
	    workspace_doubles(c->workspace, n, &c->channels->bias, e) < 0)
		return -1;
	return workspace_doubles(c->workspace, scratch, &c->scratch, e);
}

/*
 * The gradient is 0 where the output was clipped, which a second forward pass, without clipping, tells. `m`: the
 * moments of each channel, or NULL where samples have their own.
 */
static int
clip(struct call *c, const struct piece *x, const struct moments *m, struct scale_shift by, const struct piece *g,
    struct err *e)
{
	const size_t size = norm_real_size(x->real);
	struct norm_pass pass = piece_pass(&norm_clip_backward, x);
	struct piece y = *x;

	if (c->definition->clip == 0)
		return 0;
	/* Room for any piece: none has more values than all of them. */
	if (c->channels->output == NULL)
		c->channels->output = workspace_values(c->workspace, c->pieces.elements, size, e);
	if (c->channels->output == NULL)
		return -1;
	y.values = memcpy(c->channels->output, x->values, x->count * size);
	if ((m != NULL ? forward_by_moments(c, &y, m, by, e) : forward_by_sample(c, &y, e)) < 0)
		return -1;
	pass.x = y.values;
	pass.y = g->values;
	pass.limit = c->definition->clip;
	(void)pass_run(c->workspace->crew, &pass);
	return 0;
}

/* Adds a piece's gradients by `n` weights and biases to the batch's. */
static void
add(struct call *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		c->grad_weight[i] += c->channels->weight[i];
		c->grad_bias[i] += c->channels->bias[i];
	}
}

/* Weight and bias by renormalization, whose r and d are constants to the gradient. */
static struct scale_shift
renormalize(struct call *c, const struct moments *m)
{
	const struct renorm renorm = forward_renorm(c);
	struct channels *ch = c->channels;

	renorm_correct(&renorm, m, NULL, NULL, ch->r, ch->d);
	renorm_correct(&renorm, m, c->parameters.weight, c->parameters.bias, ch->r_weight, ch->d_bias);
	return (struct scale_shift){ ch->r_weight, ch->d_bias };
}

/* By moments of each channel; m->count 0: they are constants. Adds to the gradients by weight and bias. */
static int
by_channels(struct call *c, const struct piece *x, const struct moments *m, const struct piece *g, struct err *e)
{
	const size_t features = x->view.feature;
	const bool renorm = m->count > 0 && c->definition->renorm;
	const struct scale_shift by = renorm ? renormalize(c, m) : c->parameters;
	struct norm_pass pass = channels_pass(c, &norm_batch_backward, x, g);
	struct channels *ch = c->channels;

	if (clip(c, x, m, by, g, e) < 0)
		return -1;
	measure_rstd(c->definition, m, features, ch->rstd);
	pass.count = m->count;
	pass.by = (struct norm_by){ .mean = m->mean, .rstd = ch->rstd, .weight = by.weight };
	if (!pass_run(c->workspace->crew, &pass))
		return channels_refuse(c, g, e);
	for (size_t f = 0; f < features && renorm; f++)
		ch->weight[f] = ch->weight[f] * ch->r[f] + ch->bias[f] * ch->d[f];
	add(c, features);
	return 0;
}

/* In inference: by the running statistics. */
static int
by_running(struct call *c, const struct piece *x, const struct piece *g, struct err *e)
{
	struct moments m;

	return measure_running(c, &m, e) < 0 ? -1 : by_channels(c, x, &m, g, e);
}

/* By the moments of each piece of the batch. */
static int
by_batch(struct call *c, const struct piece *x, const struct piece *g, struct err *e)
{
	struct moments m;

	if (measure_check_count(norm_view_count(x->view), e) < 0 || measure_moments(c, x, c->channels->room, &m, e) < 0)
		return -1;
	return by_channels(c, x, &m, g, e);
}

/* By each sample's own moments: every other kind. */
static int
by_sample(struct call *c, const struct piece *x, const struct piece *g, struct err *e)
{
	const struct definition *d = c->definition;
	struct norm_pass pass = channels_pass(c, sample_op(d), x, g);

	if (clip(c, x, NULL, c->parameters, g, e) < 0)
		return -1;
	pass.eps = forward_eps(c);
	pass.centered = d->kind == KIND_LAYER_NORM;
	pass.groups = d->kind == KIND_GROUP_NORM ? d->num_groups : x->view.feature;
	pass.by.weight = c->parameters.weight;
	if (!pass_run(c->workspace->crew, &pass))
		return channels_refuse(c, g, e);
	add(c, definition_parameter_count(d, x->view.feature));
	return 0;
}

typedef int piece_backward(struct call *c, const struct piece *x, const struct piece *g, struct err *e);

static int
by_pieces(struct call *c, piece_backward *backward, struct err *e)
{
	if (pieces_take(c, c->tensor, &c->values, e) < 0 || pieces_take(c, c->gradient, &c->gradients, e) < 0)
		return -1;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece x = pieces_get(&c->pieces, c->values, i);
		const struct piece g = pieces_get(&c->pieces, c->gradients, i);

		if (backward(c, &x, &g, e) < 0)
			return -1;
	}
	pieces_put(c, c->gradients, c->gradient);
	return channels_check(c, e);
}

int
call_backward(struct call *c, struct err *e)
{
	const struct definition *d = c->definition;
	const bool running = !c->train && d->track_running_stats, channels = running || d->kind == KIND_BATCH_NORM;
	const size_t n = definition_parameter_count(d, c->view.feature);

	if (workspace_doubles(c->workspace, n, &c->grad_weight, e) < 0 ||
	    workspace_doubles(c->workspace, n, &c->grad_bias, e) < 0 || measure_check_counted(c, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	if (pieces_cut(c, running ? PIECES_WHOLE : pieces_way_of(d, c->train), e) < 0 ||
	    (channels ? channels_init(c, e) : init_samples(c, e)) < 0)
		return -1;
	return by_pieces(c, running ? by_running : channels ? by_batch : by_sample, e);
}
