/*
 * Training by batch normalization. The batch is one piece, or is cut into ghost batches (Hoffer, Hubara, Soudry 2017), perhaps after its samples
 * were shuffled; each piece is normalized by its own moments and makes an update of its own, in their order. Batch
 * Renormalization puts others in the place of weight and bias.
 */
#include "handlers/training.h"
#include "norm/renorm.h"
#include "norm/shuffle.h"

struct ghosts
ghosts_cut(size_t samples, size_t each, size_t count_min)
{
	struct ghosts g = { .samples = samples };
	size_t count = each == 0 ? 1 : samples / each + (samples % each != 0);

	if (samples == 0)
		return g;
	if (count < count_min)
		count = count_min < samples ? count_min : samples;
	g.each = samples / count + (samples % count != 0);
	g.count = samples / g.each + (samples % g.each != 0);
	return g;
}

static size_t
ghost_samples(const struct ghosts *g, size_t i)
{
	return i + 1 < g->count ? g->each : g->samples - i * g->each;
}

/* Piece i as a tensor and a view of its own; its values are the batch's. */
static struct tensor
ghost(const struct training *t, size_t i, struct norm_view *view)
{
	const size_t each = t->view.outer / t->ghosts.samples; /* indices of outer in a sample */
	const size_t values = t->view.feature * t->view.inner;
	struct tensor piece = *t->tensor;

	view->outer = ghost_samples(&t->ghosts, i) * each;
	view->feature = t->view.feature;
	view->inner = t->view.inner;
	piece.values = (unsigned char *)t->tensor->values + i * t->ghosts.each * each * values * datatype_size(piece.datatype);
	piece.count = view->outer * values;
	return piece;
}

static size_t
sample_bytes(const struct training *t)
{
	return t->tensor->count / t->ghosts.samples * datatype_size(t->tensor->datatype);
}

/* Cuts the batch. Samples are the first dimension's, so that one must be another than the channels'. */
static int
cut(const struct definition *d, struct training *t, struct err *e)
{
	const bool whole = d->virtual_batch_size == 0 && !d->shuffle;

	if (!whole && (d->channel_axis == 0 || d->channel_axis + (int)t->tensor->rank == 0))
		return err_set(e, ERR_SHAPE_MISMATCH,
		    "ghost batches are cut along dimension 0, which holds the channels here (channel_axis %d)",
		    d->channel_axis);
	t->ghosts = ghosts_cut(whole ? 1 : t->tensor->shape[0], d->virtual_batch_size, d->shuffle ? 2 : 1);
	return 0;
}

static int
allocate(struct request *rq, struct training *t, struct err *e)
{
	const struct definition *d = rq->definition;
	const size_t features = t->view.feature, count = t->ghosts.count;

	t->updates = arena_array(&rq->arena, count, sizeof(*t->updates));
	if (t->updates == NULL)
		return err_set_memory(e);
	if (request_doubles(rq, count * features, &t->mean, e) < 0 || request_doubles(rq, count * features, &t->var, e) < 0 ||
	    request_doubles(rq, features, &t->rstd, e) < 0)
		return -1;
	if (d->renorm && (request_doubles(rq, features, &t->weight, e) < 0 || request_doubles(rq, features, &t->bias, e) < 0))
		return -1;
	if (!d->shuffle)
		return 0;
	t->order = arena_array(&rq->arena, t->ghosts.samples, sizeof(*t->order));
	t->sample = arena_alloc(&rq->arena, sample_bytes(t));
	return t->order == NULL || t->sample == NULL ? err_set_memory(e) : 0;
}

/* Weight and bias for piece i. */
static struct scale_shift
parameters_of(const struct request *rq, const struct training *t, size_t i)
{
	const struct definition *d = rq->definition;
	const struct statistics *s = &rq->state->statistics;
	const size_t at = i * t->view.feature;

	if (!d->renorm)
		return t->parameters;
	renorm_correct(&(struct renorm_limits){ .eps = d->eps, .r_max = d->r_max, .d_max = d->d_max }, t->view.feature,
	    t->mean + at, t->var + at, s->mean, s->var, t->parameters.weight, t->parameters.bias, t->weight, t->bias);
	return (struct scale_shift){ t->weight, t->bias };
}

int
train_batch_norm_output(const struct request *rq, struct training *t, struct err *e)
{
	int result = 0;

	t->normalized = true;
	for (size_t i = 0; i < t->ghosts.count && result == 0; i++) {
		const size_t at = i * t->view.feature;
		struct norm_view view;
		struct tensor piece = ghost(t, i, &view);

		result = forward_by_statistics(
		    rq->definition, &piece, view, t->mean + at, t->var + at, parameters_of(rq, t, i), t->rstd, e);
	}
	if (t->order != NULL)
		shuffle_undo(t->tensor->values, t->ghosts.samples, sample_bytes(t), t->order, t->sample);
	return result;
}

/* Measures every piece; *sure: its output cannot fail. */
static int
measure(struct request *rq, struct training *t, bool *sure, struct err *e)
{
	*sure = true;
	for (size_t i = 0; i < t->ghosts.count; i++) {
		double *mean = t->mean + i * t->view.feature, *var = t->var + i * t->view.feature;
		struct norm_view view;
		struct tensor piece = ghost(t, i, &view);

		if (forward_moments(&piece, view, mean, var, e) < 0)
			return -1;
		t->updates[i] = training_update(rq, view.feature, norm_view_count(view), mean, var);
		*sure = *sure && forward_surely_finite(rq->definition, &piece, view, var, parameters_of(rq, t, i));
	}
	return 0;
}

int
train_batch_norm(struct request *rq, struct training *t, struct err *e)
{
	bool sure;

	if (cut(rq->definition, t, e) < 0 || allocate(rq, t, e) < 0)
		return -1;
	if (t->order != NULL) {
		shuffle_order(t->seed, t->ghosts.samples, t->order);
		shuffle_samples(t->tensor->values, t->ghosts.samples, sample_bytes(t), t->order, t->sample);
	}
	if (measure(rq, t, &sure, e) < 0 || (t->output && !sure && train_batch_norm_output(rq, t, e) < 0))
		return -1;
	if (definition_tracks(rq->definition)) {
		training_submit(rq, t->updates, t->ghosts.count);
		return 0;
	}
	return t->output && !t->normalized ? train_batch_norm_output(rq, t, e) : 0;
}
