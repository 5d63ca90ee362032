/* SPDX-License-Identifier: MIT */
#include "layer/settle.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "layer/extremes.h"
#include "layer/measure.h"

/*
 * From here on an output is large: normalizing so many values takes about 30 us. Where there are few for each channel,
 * applying the update takes as long.
 */
#define LARGE_ELEMENTS ((size_t)32 << 10)
#define LARGE_EACH ((size_t)16)

int
settle_init(struct call *c, struct err *e)
{
	c->state = workspace_array(c->workspace, c->view.feature, CALL_STATE_LISTS * sizeof(*c->state), e);
	return c->state == NULL ? -1 : 0;
}

static void
keep(double *room, const double *values, double absent, size_t n)
{
	for (size_t f = 0; f < n; f++)
		room[f] = values != NULL ? values[f] : absent;
}

void
settle_use(struct call *c, const double *state)
{
	const size_t n = c->view.feature;

	c->running = (struct moments){ 0, state, state + n };
	c->parameters = (struct scale_shift){ state + 2 * n, state + 3 * n };
}

/*
 * |x - mean| is at most |batch's mean - mean| + sqrt(n batch's var). A quarter of the range leaves room for rounding;
 * DBL_MIN, for a variance that is too small for a double.
 */
static bool
surely_below(const struct call *c, const struct update *u)
{
	const double root = sqrt((double)u->count);
	const struct scale_shift by = c->parameters;

	for (size_t f = 0; f < c->view.feature; f++) {
		const double reach = fabs(u->mean[f] - c->running.mean[f]) + root * sqrt(u->var[f] + DBL_MIN);

		if (!(reach * c->scratch[f] * fabs(by.weight[f]) + fabs(by.bias[f]) < c->limit / 4))
			return false;
	}
	return true;
}

int
settle_take(struct call *c, const struct statistics *after, struct scale_shift parameters, bool *sure, struct err *e)
{
	const size_t n = c->view.feature;

	if (after->features != n)
		return err_fail(e, ERR_SHAPE_MISMATCH, "layer \"%s\" has %zu feature%s by now, not %zu", c->name,
		    after->features, err_plural(after->features), n);
	if (measure_copy_running(c, after, c->state, e) < 0)
		return -1;
	keep(c->state + 2 * n, parameters.weight, 1, n);
	keep(c->state + 3 * n, parameters.bias, 0, n);
	settle_use(c, c->state);
	measure_rstd(c->definition, &c->running, n, c->scratch);
	*sure = true;
	for (size_t i = 0; i < c->update_count && *sure; i++)
		*sure = surely_below(c, &c->updates[i]);
	return 0;
}

int
settle_refuse_whole(struct call *c, struct err *e)
{
	if (measure_check_rstd(c->scratch, c->view.feature, e) < 0)
		return -1;
	return err_fail(e, ERR_NON_FINITE_INPUT, "a normalized value of the whole batch might not fit its datatype");
}

/* Takes the state that the updates lead to from the call's own, which are the initial ones if there are none. */
static int
take_next(struct call *c, bool *sure, struct err *e)
{
	const size_t n = c->view.feature;
	struct statistics now = c->statistics, next = { .features = n }, spare;
	double *room = workspace_array(c->workspace, n, 4 * sizeof(*room), e);

	if (room == NULL)
		return -1;
	keep(room, now.mean, 0, n);
	keep(room + n, now.var, 1, n);
	now.features = n;
	now.mean = room;
	now.var = room + n;
	next.mean = room + 2 * n;
	next.var = room + 3 * n;
	for (size_t i = 0; i < c->update_count; i++) {
		if (update_apply(&now, &c->updates[i], &next) != UPDATE_APPLIED)
			return err_fail(e, ERR_NON_FINITE_INPUT, "the running statistics would overflow");
		spare = now;
		now = next;
		next = spare;
	}
	return settle_take(c, &now, c->parameters, sure, e);
}

int
settle_foresee(struct call *c, struct err *e)
{
	struct err foreseen;
	bool sure;

	if (c->pieces.elements < LARGE_ELEMENTS || c->pieces.elements / LARGE_EACH < c->view.feature)
		return 0;
	return take_next(c, &sure, &foreseen) < 0 || sure ? 0 : extremes_measure(c, e);
}

int
settle_first(struct call *c, struct err *e)
{
	bool sure;

	return take_next(c, &sure, e);
}
