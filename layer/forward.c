/* SPDX-License-Identifier: MIT */
#include "layer/forward.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "layer/measure.h"
#include "layer/pass_run.h"
#include "layer/reals.h"
#include "norm/finite.h"
#include "norm/normalize.h"
#include "norm/widen.h"

/* The first value that is not finite; the number of values when there is none. */
static size_t
first_non_finite(const struct piece *p)
{
	const size_t size = norm_real_size(p->real);
	double value;

	for (size_t i = 0; i < p->count; i++) {
		norm_widen(p->real, (const unsigned char *)p->values + i * size, 1, &value);
		if (!isfinite(value))
			return i;
	}
	return p->count;
}

bool
forward_is_finite(const struct piece *p)
{
	return first_non_finite(p) == p->count;
}

const char *
forward_where(const struct call *c, const struct piece *p, char out[FORWARD_WHERE_BYTES])
{
	const size_t inner = p->view.inner > 0 ? p->view.inner : 1,
		     features = p->view.feature > 0 ? p->view.feature : 1;
	const size_t i = first_non_finite(p), run = i / inner;

	if (i == p->count)
		snprintf(out, FORWARD_WHERE_BYTES, "some value");
	else if (definition_is_shaped(c->definition))
		snprintf(out, FORWARD_WHERE_BYTES, "row %zu (of those that are not padding)", run);
	else if (c->definition->kind == KIND_BATCH_NORM)
		snprintf(out, FORWARD_WHERE_BYTES, "channel %zu", run % features);
	else
		snprintf(out, FORWARD_WHERE_BYTES, "channel %zu of a sample", run % features);
	return out;
}

double
forward_eps(const struct call *c)
{
	return c->definition->eps_of_datatype ? reals[c->tensor->datatype].epsilon : c->definition->eps;
}

struct renorm
forward_renorm(const struct call *c)
{
	const struct definition *d = c->definition;

	return (struct renorm){ c->view.feature, d->eps, d->r_max, d->d_max, c->statistics.mean, c->statistics.var };
}

/*
 * Fails unless all results are finite, or the call lets others pass. `m`: the moments of each channel, whose rstd are
 * in c->scratch, or NULL where samples have their own.
 */
static int
check_output(const struct call *c, const struct piece *p, const struct moments *m, bool finite, struct err *e)
{
	char where[FORWARD_WHERE_BYTES];

	if (finite || c->non_finite_ok)
		return 0;
	if (m != NULL && measure_check_rstd(c->scratch, p->view.feature, e) < 0)
		return -1;
	forward_where(c, p, where);
	if (m == NULL && forward_eps(c) == 0)
		return err_fail(e, ERR_NON_FINITE_INPUT,
		    "%s cannot be normalized: it is constant and \"eps\" is 0, or it holds a NaN or an infinity, or "
		    "overflows",
		    where);
	return err_fail(e, ERR_NON_FINITE_INPUT, "%s: a normalized value does not fit %s, or is not a number", where,
	    datatype_name(c->tensor->datatype));
}

/* Normalizes by given numbers. */
static bool
run_by(const struct call *c, const struct norm_op *op, const struct piece *p, struct norm_by by)
{
	struct norm_pass pass = piece_pass(op, p);

	pass.by = by;
	return pass_run(c->workspace->crew, &pass);
}

int
forward_by_moments(
    const struct call *c, const struct piece *p, const struct moments *m, struct scale_shift by, struct err *e)
{
	const struct norm_by numbers = { m->mean, c->scratch, by.weight, by.bias };

	measure_rstd(c->definition, m, p->view.feature, c->scratch);
	return check_output(c, p, m, run_by(c, &norm_by_feature, p, numbers), e);
}

/* Values of each channel that are not padding. */
static uint64_t
counted(const struct call *c)
{
	const struct padding *padding = &c->pieces.padding;

	return padding->keep != NULL ? padding->start[padding->samples] : norm_view_count(c->pieces.view);
}

/* A single sample, of one value of each channel: these are the means. `room`: 2 doubles for each channel. */
static int
observe_values(struct call *c, const struct piece *p, const struct moments *m, double *room, struct err *e)
{
	const size_t features = p->view.feature;

	norm_widen(p->real, p->values, features, room);
	memset(room + features, 0, features * sizeof(*room));
	if (finite_below(room, features, UPDATE_MEAN_POWER))
		c->observed = (struct moments){ 1, room, room + features };
	return forward_by_moments(c, p, m, c->parameters, e);
}

size_t
forward_observe_scratch(struct norm_view view)
{
	return 3 * view.feature + norm_observe.scratch(view);
}

int
forward_observe(struct call *c, const struct piece *p, const struct moments *m, struct err *e)
{
	const size_t features = p->view.feature;
	struct norm_pass pass = piece_pass(&norm_observe, p);
	bool finite;

	pass.mean = c->scratch + features;
	if (c->pieces.padding.keep == NULL && norm_view_count(p->view) == 1)
		return observe_values(c, p, m, pass.mean, e);
	pass.var = pass.mean + features;
	pass.scratch = pass.var + features;
	pass.count = counted(c);
	pass.by = (struct norm_by){ m->mean, c->scratch, c->parameters.weight, c->parameters.bias };
	measure_rstd(c->definition, m, features, c->scratch);
	finite = pass_run(c->workspace->crew, &pass);
	/* Only doubles and what is not finite can be beyond. */
	if ((finite && p->real != NORM_DOUBLE) ||
	    (finite_below(pass.mean, features, UPDATE_MEAN_POWER) &&
		finite_below(pass.var, features, UPDATE_VAR_POWER)))
		c->observed = (struct moments){ pass.count, pass.mean, pass.var };
	return check_output(c, p, m, finite, e);
}

int
forward_batch(const struct call *c, const struct piece *p, double *room, struct moments *out, struct err *e)
{
	struct norm_pass pass = piece_pass(&norm_batch, p);
	bool finite;

	pass.eps = c->definition->eps;
	pass.by = (struct norm_by){ .weight = c->parameters.weight, .bias = c->parameters.bias };
	pass.mean = room;
	pass.var = room + p->view.feature;
	pass.rstd = c->scratch;
	*out = (struct moments){ norm_view_count(p->view), pass.mean, pass.var };
	if (measure_check_count(out->count, e) < 0)
		return -1;
	finite = pass_run(c->workspace->crew, &pass);
	if (!c->non_finite_ok && measure_check_finite(out, p->view.feature, e) < 0)
		return -1;
	return check_output(c, p, out, finite, e);
}

int
forward_by_instances(const struct call *c, const struct piece *p, const double *mean, const double *rstd, struct err *e)
{
	const struct norm_by numbers = { mean, rstd, c->parameters.weight, c->parameters.bias };

	return check_output(c, p, NULL, run_by(c, &norm_by_sample, p, numbers), e);
}

int
forward_by_sample(const struct call *c, const struct piece *p, struct err *e)
{
	const struct definition *d = c->definition;
	struct norm_pass pass = piece_pass(definition_is_shaped(d) ? &norm_rows : &norm_groups, p);

	pass.eps = forward_eps(c);
	pass.centered = d->kind == KIND_LAYER_NORM;
	pass.groups = d->kind == KIND_GROUP_NORM ? d->num_groups : p->view.feature;
	pass.by = (struct norm_by){ .weight = c->parameters.weight, .bias = c->parameters.bias };
	return check_output(c, p, NULL, pass_run(c->workspace->crew, &pass), e);
}

/* The weight of each channel undoes itself only where it is not 0. */
static int
invert_weight(const double *weight, size_t features, double *inverse, struct err *e)
{
	for (size_t f = 0; f < features; f++) {
		inverse[f] = weight == NULL ? 1 : 1 / weight[f];
		if (weight != NULL && !isfinite(inverse[f]))
			return err_fail(e, ERR_BAD_PARAMETER,
			    "the weight of channel %zu is %g, so that scaling cannot be inverted", f, weight[f]);
	}
	return 0;
}

int
forward_inverse(const struct call *c, const struct piece *p, const struct moments *m, struct err *e)
{
	const size_t features = p->view.feature;
	double *inverse = c->scratch, *deviation = inverse + features, *zero = deviation + features;
	const struct norm_by numbers = { c->parameters.bias != NULL ? c->parameters.bias : zero, inverse, deviation,
		m->mean };

	if (invert_weight(c->parameters.weight, features, inverse, e) < 0)
		return -1;
	for (size_t f = 0; f < features; f++) {
		deviation[f] = measure_is_narrow(c->definition, m->var[f]) ? 1 : sqrt(m->var[f] + c->definition->eps);
		zero[f] = 0;
	}
	return check_output(c, p, NULL, run_by(c, &norm_by_feature, p, numbers), e);
}

void
forward_finish(struct call *c)
{
	const struct norm_pass pass = { .op = &norm_clip,
		.real = c->pieces.real,
		.view = { 1, 1, c->pieces.elements },
		.y = c->values,
		.limit = c->definition->clip };

	if (pass.limit > 0)
		(void)pass_run(c->workspace->crew, &pass);
	pieces_put(c, c->values, c->tensor);
}

/*
 * |x - mean| is at most sqrt(n var), so |y| is at most |weight| sqrt(n) + |bias|; half the range leaves room for
 * rounding.
 */
bool
forward_surely_finite(const struct call *c, const struct moments *m, double limit, struct scale_shift by)
{
	const double root = sqrt((double)m->count);

	for (size_t f = 0; f < c->view.feature; f++) {
		double weight = by.weight == NULL ? 1 : fabs(by.weight[f]),
		       bias = by.bias == NULL ? 0 : fabs(by.bias[f]);

		if (!(m->var[f] + c->definition->eps >= DBL_MIN) || !(weight * root + bias < limit / 2))
			return false;
	}
	return true;
}

int
forward_refuse_whole(const struct call *c, struct err *e)
{
	if (measure_check_rstd(c->scratch, c->view.feature, e) < 0)
		return -1;
	return err_fail(e, ERR_NON_FINITE_INPUT, "a normalized value of the whole batch might not fit its datatype");
}
