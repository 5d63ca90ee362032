/* SPDX-License-Identifier: MIT */
/*
 * Training. Each piece of the batch (layer/pieces.h) is normalized by its own moments and makes an update, in their
 * order. By batch normalization the output depends on the batch alone, so it may be computed while the updates wait for
 * their commit; where a result might not fit its datatype it is computed at once, because nothing may be stored when an
 * error is answered. Batch Renormalization replaces weight and bias. By running statistics the output depends on the
 * state that the updates lead to (layer/next_state.h).
 */
#include "layer/call.h"
#include "layer/extremes.h"
#include "layer/forward.h"
#include "layer/measure.h"
#include "layer/next_state.h"
#include "layer/reals.h"
#include "layer/train_instances.h"

/*
 * From here on an output is large: normalizing so many values takes about 30 us. Where there are few for each channel,
 * applying the update takes as long.
 */
#define LARGE_ELEMENTS ((size_t)32 << 10)
#define LARGE_EACH ((size_t)16)

/* In c->scratch: 1 / sqrt(var + eps), for forward.h, then weight and bias by renormalization. */
static int
allocate(struct call *c, double **room, struct err *e)
{
	const size_t features = c->view.feature, count = c->pieces.count;

	c->updates = workspace_array(c->workspace, count, sizeof(*c->updates), e);
	if (c->updates == NULL || workspace_doubles(c->workspace, 2 * count * features, room, e) < 0)
		return -1;
	if (c->needs_state)
		c->state = workspace_array(c->workspace, features, CALL_STATE_LISTS * sizeof(*c->state), e);
	if (c->needs_state && c->state == NULL)
		return -1;
	return workspace_doubles(c->workspace, (c->definition->renorm ? 3 : 1) * features, &c->scratch, e);
}

/* Weight and bias for the piece with these moments. */
static struct scale_shift
parameters_of(const struct call *c, const struct moments *m)
{
	const struct renorm renorm = forward_renorm(c);
	double *weight = c->scratch + renorm.features, *bias = weight + renorm.features;

	if (!c->definition->renorm)
		return c->parameters;
	renorm_correct(&renorm, m, c->parameters.weight, c->parameters.bias, weight, bias);
	return (struct scale_shift){ weight, bias };
}

int
call_train_output(struct call *c, struct err *e)
{
	c->pending = false;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct update *u = &c->updates[i];
		const struct moments own = { u->count, u->mean, u->var }, m = c->needs_state ? c->running : own;
		const struct piece piece = pieces_get(&c->pieces, c->values, i);

		if (forward_by_moments(c, &piece, &m, parameters_of(c, &m), e) < 0)
			return -1;
	}
	forward_finish(c);
	return 0;
}

int
call_train_take_state(struct call *c, const struct statistics *after, struct scale_shift parameters, struct err *e)
{
	bool sure;

	if (next_state_take(c, after, parameters, &sure, e) < 0)
		return -1;
	if (sure)
		return 0;
	if (c->extremes.count > 0)
		return forward_by_moments(c, &c->extremes, &c->running, c->parameters, e);
	return c->pending ? call_train_output(c, e) : forward_refuse_whole(c, e);
}

/* Measures every piece; *sure: an output by its moments cannot fail. */
static int
measure(struct call *c, double *room, bool *sure, struct err *e)
{
	const size_t features = c->view.feature;
	struct moments m;

	*sure = true;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece piece = pieces_get(&c->pieces, c->values, i);

		/* First: a piece that is all padding has nothing to measure. */
		if (measure_check_update(c->definition, norm_view_count(piece.view), c->output, e) < 0 ||
		    measure_moments(c, &piece, room + 2 * i * features, &m, e) < 0)
			return -1;
		c->updates[i] = definition_update(c->definition, features, &m);
		*sure = *sure && forward_surely_finite(c, &m, c->limit, parameters_of(c, &m));
	}
	return 0;
}

/* A batch whose output needs nothing but its own moments is normalized as it is measured. */
static int
measure_and_normalize(struct call *c, double *room, struct err *e)
{
	const struct piece all = pieces_get(&c->pieces, c->values, 0);
	struct moments m;

	if (measure_check_update(c->definition, norm_view_count(all.view), true, e) < 0 ||
	    forward_batch(c, &all, room, &m, e) < 0)
		return -1;
	c->updates[0] = definition_update(c->definition, c->view.feature, &m);
	forward_finish(c);
	return 0;
}

/*
 * Before the updates are submitted, because the store's thread should not spend time on a large tensor. If it might not
 * fit by the state that its updates probably lead to, call_train_take_state decides by its extremes.
 */
static int
prepare_large(struct call *c, struct err *e)
{
	struct err predicted;
	bool sure;

	if (c->pieces.elements < LARGE_ELEMENTS || c->pieces.elements / LARGE_EACH < c->view.feature)
		return 0;
	return next_state_predict(c, &sure, &predicted) < 0 || sure ? 0 : extremes_measure(c, e);
}

static int
train_batch(struct call *c, struct err *e)
{
	double *room;
	bool sure;

	c->limit = reals[c->tensor->datatype].largest;
	c->needs_state = c->output && definition_by_running(c->definition);
	if (pieces_cut(c, PIECES_GHOSTS, e) < 0 || allocate(c, &room, e) < 0 ||
	    pieces_take(c, c->tensor, &c->values, e) < 0)
		return -1;
	c->update_count = c->definition->track_running_stats ? c->pieces.count : 0;
	if (c->output && c->pieces.count == 1 && !c->definition->renorm && !c->needs_state)
		return measure_and_normalize(c, room, e);
	if (measure(c, room, &sure, e) < 0)
		return -1;
	c->pending = c->output;
	if (c->needs_state)
		return prepare_large(c, e);
	return c->pending && !sure ? call_train_output(c, e) : 0;
}

int
call_train(struct call *c, struct err *e)
{
	const bool tracks = c->definition->track_running_stats;

	if (measure_check_counted(c, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	if (c->definition->kind == KIND_BATCH_NORM && (tracks || !c->output))
		return train_batch(c, e);
	return tracks ? train_instances(c, e) : call_normalize(c, e);
}
