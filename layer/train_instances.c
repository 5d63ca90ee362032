/* SPDX-License-Identifier: MIT */
#include "layer/train_instances.h"

#include "layer/forward.h"
#include "layer/measure.h"
#include "norm/pool.h"
#include "norm/normalize.h"

/* Of every instance, in the order of the pieces. */
struct instances {
	double *mean, *var, *rstd;
	size_t samples; /* that have any values */
};

static int
measure(struct call *c, struct instances *all, struct err *e)
{
	const size_t channels = c->view.feature, most = c->view.outer * channels;

	if (workspace_doubles(c->workspace, most, &all->mean, e) < 0 ||
	    workspace_doubles(c->workspace, most, &all->var, e) < 0 ||
	    workspace_doubles(c->workspace, most, &all->rstd, e) < 0)
		return -1;
	all->samples = 0;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece piece = pieces_get(&c->pieces, c->values, i);
		const size_t at = all->samples * channels;

		if (measure_instances(c, &piece, all->mean + at, all->var + at, e) < 0)
			return -1;
		all->samples += piece.view.outer;
	}
	normalize_rstd(all->var, c->definition->eps, all->samples * channels, all->rstd);
	return 0;
}

/*
 * The update by the averages, into `room` for 2 doubles for each channel. Where the pieces' numbers of values differ,
 * each variance takes the divisor of its own number; else the update does it for all.
 */
static struct update
average(const struct call *c, const struct instances *all, double *room)
{
	const size_t channels = c->view.feature;
	const struct moments m = { pieces_get(&c->pieces, c->values, 0).view.inner, room, room + channels };
	struct update u = definition_update(c->definition, channels, &m);
	double *var = all->var;

	for (size_t i = 0; c->pieces.count > 1 && i < c->pieces.count; i++) {
		const struct norm_view v = pieces_get(&c->pieces, c->values, i).view;
		const double unbias = (double)v.inner / (double)(v.inner - u.ddof);

		for (size_t r = 0; r < v.outer * channels; r++)
			*var++ *= unbias;
	}
	u.ddof = c->pieces.count > 1 ? 0 : u.ddof;
	moments_average(all->mean, all->var, all->samples, channels, room, room + channels);
	return u;
}

static int
output(struct call *c, const struct instances *all, struct err *e)
{
	size_t at = 0;

	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece piece = pieces_get(&c->pieces, c->values, i);

		if (forward_by_instances(c, &piece, all->mean + at, all->rstd + at, e) < 0)
			return -1;
		at += piece.view.outer * c->view.feature;
	}
	forward_finish(c);
	return 0;
}

int
train_instances(struct call *c, struct err *e)
{
	struct instances all;
	double *room;

	if (pieces_cut(c, PIECES_SAMPLES, e) < 0 || pieces_take(c, c->tensor, &c->values, e) < 0 ||
	    measure(c, &all, e) < 0 ||
	    (c->updates = workspace_array(c->workspace, 1, sizeof(*c->updates), e)) == NULL ||
	    workspace_doubles(c->workspace, 2 * c->view.feature, &room, e) < 0)
		return -1;
	c->updates[0] = average(c, &all, room);
	c->update_count = 1;
	return c->output ? output(c, &all, e) : 0;
}
