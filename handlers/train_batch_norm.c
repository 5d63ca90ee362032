/* SPDX-License-Identifier: MIT */
/*
 * Training by batch normalization. Each piece of the batch (layer/pieces.h) is normalized by its own moments and makes
 * an update of its own, in their order. Batch Renormalization puts others in the place of weight and bias.
 */
#include "handlers/training.h"
#include "norm/renorm.h"

static int
allocate(struct request *rq, struct training *t, struct err *e)
{
	const size_t features = t->view.feature, count = t->pieces.count;

	t->updates = workspace_array(&rq->workspace, count, sizeof(*t->updates), e);
	if (t->updates == NULL || workspace_doubles(&rq->workspace, count * features, &t->mean, e) < 0 ||
	    workspace_doubles(&rq->workspace, count * features, &t->var, e) < 0 ||
	    workspace_doubles(&rq->workspace, features, &t->rstd, e) < 0)
		return -1;
	if (!rq->definition->renorm)
		return 0;
	return workspace_doubles(&rq->workspace, features, &t->weight, e) < 0 ||
		workspace_doubles(&rq->workspace, features, &t->bias, e) < 0 ?
	    -1 :
	    0;
}

/* Weight and bias for the piece with these moments. */
static struct scale_shift
parameters_of(const struct request *rq, const struct training *t, const double *mean, const double *var)
{
	const struct definition *d = rq->definition;
	const struct statistics *s = &rq->state->statistics;

	if (!d->renorm)
		return t->parameters;
	renorm_correct(&(struct renorm_limits){ .eps = d->eps, .r_max = d->r_max, .d_max = d->d_max }, t->view.feature,
	    mean, var, s->mean, s->var, t->parameters.weight, t->parameters.bias, t->weight, t->bias);
	return (struct scale_shift){ t->weight, t->bias };
}

int
train_batch_norm_output(struct request *rq, struct training *t, struct err *e)
{
	int result = 0;

	t->normalized = true;
	for (size_t i = 0; i < t->pieces.count && result == 0; i++) {
		const double *mean = t->mean + i * t->view.feature, *var = t->var + i * t->view.feature;
		struct piece piece = pieces_get(&t->pieces, &t->values, i);

		result = forward_by_statistics(rq->workspace.crew, rq->definition, &piece.tensor, piece.view, mean, var,
		    parameters_of(rq, t, mean, var), t->rstd, e);
	}
	pieces_put(&rq->workspace, &t->pieces, &t->values, t->tensor);
	return result;
}

/* Measures every piece; *sure: its output cannot fail. */
static int
measure(struct request *rq, struct training *t, bool *sure, struct err *e)
{
	const size_t features = t->view.feature;

	*sure = true;
	for (size_t i = 0; i < t->pieces.count; i++) {
		double *mean = t->mean + i * features, *var = t->var + i * features;
		const struct piece piece = pieces_get(&t->pieces, &t->values, i);
		const size_t count = norm_view_count(piece.view);

		/* First: a piece that is all padding has nothing to measure. */
		if (forward_check_count(count, e) < 0 ||
		    forward_moments(rq->workspace.crew, &piece.tensor, piece.view, mean, var, e) < 0)
			return -1;
		t->updates[i] = training_update(rq, features, count, mean, var);
		*sure = *sure &&
		    forward_surely_finite(rq->definition, features, count, forward_largest(piece.tensor.datatype), var,
			parameters_of(rq, t, mean, var));
	}
	return 0;
}

/* A batch whose output needs nothing but its own moments is normalized as it is measured. */
static bool
at_once(const struct request *rq, const struct training *t)
{
	return t->output && t->pieces.count == 1 && !rq->definition->renorm;
}

static int
measure_and_normalize(struct request *rq, struct training *t, struct err *e)
{
	struct piece all = pieces_get(&t->pieces, &t->values, 0);

	t->normalized = true;
	if (forward_batch(rq->workspace.crew, rq->definition, &all.tensor, all.view, t->parameters, t->mean, t->var,
		t->rstd, e) < 0)
		return -1;
	pieces_put(&rq->workspace, &t->pieces, &t->values, t->tensor);
	t->updates[0] = training_update(rq, t->view.feature, norm_view_count(all.view), t->mean, t->var);
	return 0;
}

/* Measures every piece, and normalizes before anything is stored where the output might fail. */
static int
prepare(struct request *rq, struct training *t, struct err *e)
{
	bool sure;

	if (at_once(rq, t))
		return measure_and_normalize(rq, t, e);
	if (measure(rq, t, &sure, e) < 0)
		return -1;
	return t->output && !sure ? train_batch_norm_output(rq, t, e) : 0;
}

int
train_batch_norm(struct request *rq, struct training *t, struct err *e)
{
	if (pieces_cut(&rq->workspace, rq->definition, t->tensor, t->view, &t->mask, PIECES_GHOSTS, t->seed, &t->pieces,
		e) < 0 ||
	    allocate(rq, t, e) < 0 || pieces_take(&rq->workspace, &t->pieces, t->tensor, &t->values, e) < 0 ||
	    prepare(rq, t, e) < 0)
		return -1;
	if (definition_tracks(rq->definition)) {
		training_submit(rq, t->updates, t->pieces.count);
		return 0;
	}
	return t->output && !t->normalized ? train_batch_norm_output(rq, t, e) : 0;
}
