/* SPDX-License-Identifier: MIT */
#include "layer/settle.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "layer/measure.h"

int
settle_init(struct call *c, struct err *e)
{
	const size_t lists = c->definition->affine ? 4 : 2;

	c->state = workspace_array(c->workspace, lists * c->view.feature, sizeof(*c->state), e);
	return c->state == NULL ? -1 : 0;
}

static const double *
keep(double *room, const double *values, size_t n)
{
	return values != NULL ? memcpy(room, values, n * sizeof(*values)) : NULL;
}

/*
 * |x - mean| is at most |batch's mean - mean| + sqrt(n batch's var). A quarter of the range leaves room for rounding;
 * DBL_MIN, for a variance that is too small for a double.
 */
static bool
surely_below(const struct call *c, const struct update *u, double limit)
{
	const double root = sqrt((double)u->count);
	const struct scale_shift by = c->parameters;

	for (size_t f = 0; f < c->view.feature; f++) {
		const double weight = by.weight == NULL ? 1 : fabs(by.weight[f]);
		const double bias = by.bias == NULL ? 0 : fabs(by.bias[f]);
		const double reach = fabs(u->mean[f] - c->running.mean[f]) + root * sqrt(u->var[f] + DBL_MIN);

		if (!(reach * c->scratch[f] * weight + bias < limit / 4))
			return false;
	}
	return true;
}

int
settle_take(struct call *c, const struct statistics *after, struct scale_shift parameters, double limit, bool *sure,
    struct err *e)
{
	const size_t n = c->view.feature;

	if (after->features != n)
		return err_fail(e, ERR_SHAPE_MISMATCH, "layer \"%s\" has %zu features by now, not %zu", c->name,
		    after->features, n);
	if (measure_copy_running(c, after, c->state, &c->running, e) < 0)
		return -1;
	c->parameters.weight = keep(c->state + 2 * n, parameters.weight, n);
	c->parameters.bias = keep(c->state + 3 * n, parameters.bias, n);
	measure_rstd(c->definition, &c->running, n, c->scratch);
	*sure = true;
	for (size_t i = 0; i < c->update_count && *sure; i++)
		*sure = surely_below(c, &c->updates[i], limit);
	return 0;
}

int
settle_first(struct call *c, struct err *e)
{
	const size_t n = c->view.feature;
	struct statistics now = { .features = n }, next = now, spare;
	double *room;

	if (workspace_doubles(c->workspace, 4 * n, &room, e) < 0)
		return -1;
	now.mean = room;
	now.var = room + n;
	next.mean = room + 2 * n;
	next.var = room + 3 * n;
	for (size_t f = 0; f < n; f++)
		now.var[f] = 1;
	for (size_t i = 0; i < c->update_count; i++) {
		if (update_apply(&now, &c->updates[i], &next) != UPDATE_APPLIED)
			return err_fail(e, ERR_NON_FINITE_INPUT, "the running statistics would overflow");
		spare = now;
		now = next;
		next = spare;
	}
	return measure_copy_running(c, &now, c->state, &c->running, e);
}
