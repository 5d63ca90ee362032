/* SPDX-License-Identifier: MIT */
#include "layer/next_state.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "layer/measure.h"

static void
keep(double *room, const double *values, double absent, size_t n)
{
	for (size_t f = 0; f < n; f++)
		room[f] = values != NULL ? values[f] : absent;
}

void
next_state_use(struct call *c, const double *state)
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
next_state_take(
    struct call *c, const struct statistics *after, struct scale_shift parameters, bool *sure, struct err *e)
{
	const size_t n = c->view.feature;

	if (after->features != n)
		return err_fail(e, ERR_SHAPE_MISMATCH, "layer \"%s\" has %zu feature%s by now, not %zu", c->name,
		    after->features, err_plural(after->features), n);
	if (measure_copy_running(c, after, c->state, e) < 0)
		return -1;
	keep(c->state + 2 * n, parameters.weight, 1, n);
	keep(c->state + 3 * n, parameters.bias, 0, n);
	next_state_use(c, c->state);
	measure_rstd(c->definition, &c->running, n, c->scratch);
	*sure = true;
	for (size_t i = 0; i < c->update_count && *sure; i++)
		*sure = surely_below(c, &c->updates[i]);
	return 0;
}

int
next_state_predict(struct call *c, bool *sure, struct err *e)
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
	return next_state_take(c, &now, c->parameters, sure, e);
}
