/* SPDX-License-Identifier: MIT */
#include "layer/call.h"

#include <math.h>

#include "layer/forward.h"
#include "layer/measure.h"
#include "layer/next_state.h"

/* Where memory lacks to observe, what normalizing needs has to do. */
static int
take_scratch(struct call *c, size_t scratch, struct err *e)
{
	if (workspace_doubles_unset(c->workspace, scratch, &c->scratch, e) == 0)
		return 0;
	if (!c->observe)
		return -1;
	c->observe = false;
	return workspace_doubles_unset(c->workspace, c->view.feature, &c->scratch, e);
}

/* The whole tensor as one piece, and the running statistics. `scratch`: doubles, as forward.h says. */
static int
begin_running(struct call *c, size_t scratch, struct piece *all, struct moments *running, struct err *e)
{
	if (measure_running(c, running, e) < 0 || take_scratch(c, scratch, e) < 0 ||
	    pieces_cut(c, PIECES_IN_PLACE, e) < 0 || pieces_take(c, c->tensor, &c->values, e) < 0)
		return -1;
	*all = pieces_get(&c->pieces, c->values, 0);
	return 0;
}

static int
normalize_running(struct call *c, struct err *e)
{
	struct moments running;
	struct piece all;

	if (begin_running(c, c->observe ? forward_observe_scratch(c->view) : c->view.feature, &all, &running, e) < 0)
		return -1;
	if ((c->observe ? forward_observe(c, &all, &running, e) :
			  forward_by_moments(c, &all, &running, c->parameters, e)) < 0)
		return -1;
	forward_finish(c);
	return 0;
}

int
call_invert(struct call *c, struct err *e)
{
	struct moments running;
	struct piece all;

	if (measure_check_counted(c, e) < 0)
		return -1;
	if (!c->definition->track_running_stats)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"inverse\" needs running statistics, which layer \"%s\" (%s) does not keep", c->name,
		    definition_kind_name(c->definition));
	if (c->tensor->count == 0)
		return 0;
	if (begin_running(c, 3 * c->view.feature, &all, &running, e) < 0 || forward_inverse(c, &all, &running, e) < 0)
		return -1;
	pieces_put(c, c->values, c->tensor);
	return 0;
}

int
call_fold(const struct call *c, double **scale, double **shift, struct err *e)
{
	const size_t features = c->statistics.features;
	const double *weight = c->parameters.weight, *bias = c->parameters.bias;
	struct moments m;

	if (measure_running(c, &m, e) < 0 || workspace_doubles(c->workspace, features, scale, e) < 0 ||
	    workspace_doubles(c->workspace, features, shift, e) < 0)
		return -1;
	measure_rstd(c->definition, &m, features, *scale);
	for (size_t f = 0; f < features; f++) {
		double a = (*scale)[f] * (weight != NULL ? weight[f] : 1);
		double b = (bias != NULL ? bias[f] : 0) - m.mean[f] * a;

		if (!isfinite(a) || !isfinite(b))
			return err_fail(
			    e, ERR_NON_FINITE_INPUT, "the scale or the shift of feature %zu is not finite", f);
		(*scale)[f] = a;
		(*shift)[f] = b;
	}
	return 0;
}

/* By the moments of each piece, which only batch_norm's kernels put anywhere. */
static int
normalize_pieces(struct call *c, struct err *e)
{
	const size_t features = c->view.feature;
	double *room = NULL;
	struct moments moments;

	if (c->definition->kind == KIND_BATCH_NORM &&
	    (workspace_doubles(c->workspace, 2 * features, &room, e) < 0 ||
		workspace_doubles(c->workspace, features, &c->scratch, e) < 0))
		return -1;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece piece = pieces_get(&c->pieces, c->values, i);

		if ((room != NULL ? forward_batch(c, &piece, room, &moments, e) : forward_by_sample(c, &piece, e)) < 0)
			return -1;
	}
	return 0;
}

static int
normalize_own(struct call *c, bool train, struct err *e)
{
	if (pieces_cut(c, pieces_way_of(c->definition, train), e) < 0 || pieces_take(c, c->tensor, &c->values, e) < 0 ||
	    normalize_pieces(c, e) < 0)
		return -1;
	forward_finish(c);
	return 0;
}

int
call_infer(struct call *c, struct err *e)
{
	c->observed.count = 0;
	if (measure_check_counted(c, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	return c->definition->track_running_stats ? normalize_running(c, e) : normalize_own(c, false, e);
}

int
call_examine(struct call *c, struct err *e)
{
	struct moments m;
	struct piece all;
	struct err found;
	double *room;

	if (measure_check_counted(c, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	if (measure_running(c, &m, e) < 0 || workspace_doubles(c->workspace, 2 * c->view.feature, &room, e) < 0 ||
	    pieces_cut(c, PIECES_IN_PLACE, e) < 0 || pieces_take(c, c->tensor, &c->values, e) < 0)
		return -1;
	all = pieces_get(&c->pieces, c->values, 0);
	/* Moments overflow of finite values too, which nobody asks for here. */
	if (measure_moments(c, &all, room, &m, &found) == 0 || forward_is_finite(&all))
		return 0;
	*e = found;
	return -1;
}

/* By the statistics that a new layer would have after this batch. */
static int
normalize_first(struct call *c, struct err *e)
{
	bool sure;

	c->output = true;
	if (call_train(c, e) < 0 || next_state_predict(c, &sure, e) < 0)
		return -1;
	return call_train_output(c, e);
}

int
call_normalize(struct call *c, struct err *e)
{
	if (measure_check_counted(c, e) < 0)
		return -1;
	if (c->tensor->count == 0)
		return 0;
	return definition_by_running(c->definition) ? normalize_first(c, e) : normalize_own(c, true, e);
}
