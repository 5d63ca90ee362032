/* SPDX-License-Identifier: MIT */
/*
 * Shards of a batch. The output of training can fail only where a value might not fit its datatype. call_train_whole or
 * call_train_take_state finds that out from the whole batch, before anything is stored.
 */
#include <math.h>

#include "layer/channels.h"
#include "layer/forward.h"
#include "layer/measure.h"
#include "layer/next_state.h"
#include "layer/pass_run.h"
#include "layer/reals.h"
#include "norm/normalize.h"

/* Of a shard of padding alone the moments stay 0. */
static int
measure(struct call *c, double *room, struct piece *all, struct shard *out, struct err *e)
{
	if (pieces_cut(c, PIECES_WHOLE, e) < 0 || pieces_take(c, c->tensor, &c->values, e) < 0)
		return -1;
	*all = pieces_get(&c->pieces, c->values, 0);
	*out = (struct shard){ .moments = { norm_view_count(all->view), room, room + c->view.feature },
		.features = c->view.feature,
		.empty = c->tensor->count == 0,
		.limit = HUGE_VAL };
	return all->count == 0 ? 0 : measure_moments(c, all, room, &out->moments, e);
}

int
call_train_shard(struct call *c, struct shard *own, struct err *e)
{
	const size_t features = c->view.feature;
	struct piece all;
	double *room;

	c->updates = workspace_alloc(c->workspace, sizeof(*c->updates), e);
	if (c->updates == NULL || workspace_doubles(c->workspace, 2 * features, &room, e) < 0 ||
	    workspace_doubles(c->workspace, features, &c->scratch, e) < 0 || measure(c, room, &all, own, e) < 0)
		return -1;
	if (c->output && all.count > 0)
		own->limit = reals[c->tensor->datatype].largest;
	return 0;
}

int
call_train_whole(struct call *c, const struct shard *whole, double *state, struct err *e)
{
	const struct moments *m = &whole->moments;
	const bool output = isfinite(whole->limit);

	if (measure_check_update(c->definition, m->count, output, e) < 0)
		return -1;
	c->limit = whole->limit;
	c->state = state;
	c->needs_state = output && definition_by_running(c->definition);
	if (output && !c->needs_state && !forward_surely_finite(c, m, whole->limit, c->parameters)) {
		measure_rstd(c->definition, m, c->view.feature, c->scratch);
		return forward_refuse_whole(c, e);
	}
	if (!c->definition->track_running_stats)
		return 0;
	c->updates[0] = definition_update(c->definition, c->view.feature, m);
	c->update_count = 1;
	return 0;
}

int
call_train_shard_output(struct call *c, const struct shard *whole, const double *state, struct err *e)
{
	const struct moments *m = &whole->moments;
	struct piece all;

	if (!c->output || c->tensor->count == 0)
		return 0;
	if (definition_by_running(c->definition)) {
		next_state_use(c, state);
		m = &c->running;
	}
	all = pieces_get(&c->pieces, c->values, 0);
	if (all.count > 0 && forward_by_moments(c, &all, m, c->parameters, e) < 0)
		return -1;
	forward_finish(c);
	return 0;
}

int
call_backward_shard(struct call *c, struct shard *own, struct err *e)
{
	struct channels *ch;
	struct norm_pass pass;
	struct piece x, g;

	if (workspace_doubles(c->workspace, c->view.feature, &c->grad_weight, e) < 0 ||
	    workspace_doubles(c->workspace, c->view.feature, &c->grad_bias, e) < 0 || channels_init(c, e) < 0)
		return -1;
	ch = c->channels;
	if (measure(c, ch->room, &x, own, e) < 0 || pieces_take(c, c->gradient, &c->gradients, e) < 0)
		return -1;
	g = pieces_get(&c->pieces, c->gradients, 0);
	if (x.count > 0) {
		normalize_rstd(own->moments.var, c->definition->eps, c->view.feature, ch->rstd);
		pass = channels_pass(c, &norm_sums, &x, &g);
		pass.by = (struct norm_by){ .mean = own->moments.mean, .rstd = ch->rstd };
		(void)pass_run(c->workspace->crew, &pass);
	}
	own->sum = ch->bias;
	own->product = ch->weight;
	return 0;
}

int
call_backward_shard_output(struct call *c, const struct shard *whole, struct err *e)
{
	const struct moments *m = &whole->moments;
	struct channels *ch = c->channels;
	struct norm_pass pass;
	struct piece x, g;

	/* Before a shard without values is done: what is refused is refused to all. */
	if (measure_check_count(m->count, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	normalize_rstd(m->var, c->definition->eps, c->view.feature, ch->rstd);
	for (size_t f = 0; f < c->view.feature; f++) {
		c->grad_bias[f] = ch->bias[f];
		c->grad_weight[f] = (ch->weight[f] + (ch->room[f] - m->mean[f]) * ch->bias[f]) * ch->rstd[f];
	}
	x = pieces_get(&c->pieces, c->values, 0);
	g = pieces_get(&c->pieces, c->gradients, 0);
	pass = channels_pass(c, &norm_shard_backward, &x, &g);
	pass.count = m->count;
	pass.by = (struct norm_by){ .mean = m->mean, .rstd = ch->rstd, .weight = c->parameters.weight };
	pass.sum = whole->sum;
	pass.product = whole->product;
	if (x.count > 0 && !pass_run(c->workspace->crew, &pass))
		return channels_refuse(c, &g, e);
	pieces_put(c, c->gradients, c->gradient);
	return channels_check(c, e);
}
