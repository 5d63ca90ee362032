/* SPDX-License-Identifier: MIT */
/*
 * Training by instance normalization that tracks: each sample is normalized by its own moments; the running statistics
 * move by their averages over the samples, as PyTorch's do.
 */
#include "handlers/training.h"
#include "norm/moments.h"
#include "norm/normalize.h"

/* Of every instance, in the order of the pieces. */
struct instances {
	double *mean, *var, *rstd;
	size_t samples; /* that have any values */
};

static int
measure(struct request *rq, struct training *t, struct instances *all, struct err *e)
{
	const size_t channels = t->view.feature, most = t->view.outer * channels;

	if (workspace_doubles(&rq->workspace, most, &all->mean, e) < 0 ||
	    workspace_doubles(&rq->workspace, most, &all->var, e) < 0 ||
	    workspace_doubles(&rq->workspace, most, &all->rstd, e) < 0)
		return -1;
	all->samples = 0;
	for (size_t i = 0; i < t->pieces.count; i++) {
		const struct piece piece = pieces_get(&t->pieces, &t->values, i);
		const size_t at = all->samples * channels;

		if (forward_instance_moments(
			rq->workspace.crew, &piece.tensor, piece.view, all->mean + at, all->var + at, e) < 0)
			return -1;
		all->samples += piece.view.outer;
	}
	normalize_rstd(all->var, rq->definition->eps, all->samples * channels, all->rstd);
	return 0;
}

/*
 * Where the pieces' numbers of values differ, each variance takes the divisor of its own number; else the update does
 * it for all.
 */
static void
average(const struct request *rq, struct training *t, struct instances *all)
{
	const size_t channels = t->view.feature;
	struct update *u = &t->updates[0];
	double *var = all->var;

	*u = training_update(rq, channels, pieces_get(&t->pieces, &t->values, 0).view.inner, t->mean, t->var);
	for (size_t i = 0; t->pieces.count > 1 && i < t->pieces.count; i++) {
		const struct norm_view v = pieces_get(&t->pieces, &t->values, i).view;
		const double unbias = (double)v.inner / (double)(v.inner - u->ddof);

		for (size_t r = 0; r < v.outer * channels; r++)
			*var++ *= unbias;
	}
	u->ddof = t->pieces.count > 1 ? 0 : u->ddof;
	moments_average(all->mean, all->var, all->samples, channels, t->mean, t->var);
}

static int
output(struct request *rq, struct training *t, const struct instances *all, struct err *e)
{
	size_t at = 0;

	for (size_t i = 0; i < t->pieces.count; i++) {
		struct piece piece = pieces_get(&t->pieces, &t->values, i);

		if (forward_by_instances(rq->workspace.crew, rq->definition, &piece.tensor, piece.view, all->mean + at,
			all->rstd + at, t->parameters, e) < 0)
			return -1;
		at += piece.view.outer * t->view.feature;
	}
	pieces_put(&rq->workspace, &t->pieces, &t->values, t->tensor);
	return 0;
}

int
train_instance_norm(struct request *rq, struct training *t, struct err *e)
{
	struct instances all;

	if (pieces_cut(&rq->workspace, rq->definition, t->tensor, t->view, &t->mask, PIECES_SAMPLES, 0, &t->pieces, e) <
		0 ||
	    pieces_take(&rq->workspace, &t->pieces, t->tensor, &t->values, e) < 0 || measure(rq, t, &all, e) < 0 ||
	    (t->updates = workspace_array(&rq->workspace, 1, sizeof(*t->updates), e)) == NULL ||
	    workspace_doubles(&rq->workspace, t->view.feature, &t->mean, e) < 0 ||
	    workspace_doubles(&rq->workspace, t->view.feature, &t->var, e) < 0)
		return -1;
	average(rq, t, &all);
	t->normalized = true;
	if (t->output && output(rq, t, &all, e) < 0)
		return -1;
	training_submit(rq, t->updates, 1);
	return 0;
}
