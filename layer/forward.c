/* SPDX-License-Identifier: MIT */
#include "layer/forward.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "layer/parts.h"
#include "norm/normalize.h"
#include "norm/widen.h"

/* What a datatype is to the kernels, and its numbers. */
struct real_row {
	enum norm_real real;
	double largest;
	double epsilon; /* the gap between 1 and the next number */
};

static const struct real_row reals[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { NORM_FLOAT, (double)FLT_MAX, (double)FLT_EPSILON },
	[DATATYPE_FP64] = { NORM_DOUBLE, DBL_MAX, DBL_EPSILON },
	[DATATYPE_FP16] = { NORM_HALF, 65504, 0x1p-10 },
	[DATATYPE_BF16] = { NORM_BFLOAT, 0x1.fep127, 0x1p-7 },
};

enum norm_real
forward_real(enum datatype datatype)
{
	return reals[datatype].real;
}

double
forward_largest(enum datatype datatype)
{
	return reals[datatype].largest;
}

static enum norm_real
real_of(const struct tensor *t)
{
	return forward_real(t->datatype);
}

static size_t
product(const size_t *extents, unsigned from, unsigned to)
{
	size_t p = 1;

	for (unsigned i = from; i < to; i++)
		p *= extents[i];
	return p;
}

static int
refuse_shape(const struct tensor *t, const char *expected, struct err *e)
{
	char actual[sizeof(e->actual)];

	tensor_shape_text(t->shape, t->rank, actual, sizeof(actual));
	err_set(e, ERR_SHAPE_MISMATCH, "the layer takes %s, not %s", expected, actual);
	snprintf(e->expected, sizeof(e->expected), "%s", expected);
	snprintf(e->actual, sizeof(e->actual), "%s", actual);
	return -1;
}

/* How many dimensions a kind takes, whose channels stand in one of them. */
static const struct rank_row {
	unsigned min, max;
	const char *expected;
} ranks[KIND_COUNT] = {
	[KIND_BATCH_NORM] = { 2, 5, "2 to 5 dimensions, (N, C) to (N, C, D, H, W)" },
	[KIND_INSTANCE_NORM] = { 3, 5, "3 to 5 dimensions, (N, C, L) to (N, C, D, H, W)" },
	[KIND_GROUP_NORM] = { 2, TENSOR_RANK_MAX, "2 dimensions or more, (N, C, ...)" },
};

static int
channels_view(
    const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view, struct err *e)
{
	const struct rank_row *rank = &ranks[d->kind];
	int axis = d->channel_axis < 0 ? d->channel_axis + (int)t->rank : d->channel_axis;
	char expected[sizeof(e->expected)];

	if (t->rank < rank->min || t->rank > rank->max)
		return refuse_shape(t, rank->expected, e);
	if (axis < 0 || axis >= (int)t->rank) {
		snprintf(expected, sizeof(expected), "a tensor with a dimension %d for its channels", d->channel_axis);
		return refuse_shape(t, expected, e);
	}
	if (features == 0 && t->shape[axis] == 0)
		return refuse_shape(t, "at least one channel", e);
	if (features != 0 && t->shape[axis] != features) {
		snprintf(expected, sizeof(expected), "%zu channels in dimension %d", features, d->channel_axis);
		return refuse_shape(t, expected, e);
	}
	view->outer = product(t->shape, 0, (unsigned)axis);
	view->feature = t->shape[axis];
	view->inner = product(t->shape, (unsigned)axis + 1, t->rank);
	return 0;
}

static int
shaped_view(const struct definition *d, const struct tensor *t, struct norm_view *view, struct err *e)
{
	char shape[64], expected[sizeof(e->expected)];
	bool fits = t->rank >= d->normalized_rank;

	for (unsigned i = 0; fits && i < d->normalized_rank; i++)
		fits = t->shape[t->rank - d->normalized_rank + i] == d->normalized_shape[i];
	if (!fits) {
		tensor_shape_text(d->normalized_shape, d->normalized_rank, shape, sizeof(shape));
		snprintf(expected, sizeof(expected), "a shape that ends in %s", shape);
		return refuse_shape(t, expected, e);
	}
	view->outer = 1;
	view->feature = product(t->shape, 0, t->rank - d->normalized_rank);
	view->inner = definition_parameter_count(d, 0);
	return 0;
}

int
forward_view(const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view, struct err *e)
{
	return definition_is_shaped(d) ? shaped_view(d, t, view, e) : channels_view(d, features, t, view, e);
}

static int
refuse_few(size_t count, const char *what, struct err *e)
{
	return err_fail(e, ERR_TOO_FEW_VALUES, "the batch has %s value per %s; its variance needs at least two",
	    count == 0 ? "no" : "one", what);
}

int
forward_check_count(size_t count, struct err *e)
{
	return count < 2 ? refuse_few(count, "channel", e) : 0;
}

static int
check_moments(const double *mean, const double *var, size_t features, struct err *e)
{
	for (size_t f = 0; f < features; f++)
		if (!isfinite(mean[f]) || !isfinite(var[f]))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "channel %zu holds a NaN or an infinity, or its variance overflows", f);
	return 0;
}

int
forward_instance_moments(
    struct crew *crew, const struct tensor *t, struct norm_view view, double *mean, double *var, struct err *e)
{
	const struct norm_view instances = { 1, view.outer * view.feature, view.inner };

	parts_moments(crew, real_of(t), t->values, instances, mean, var);
	for (size_t first = 0; first < instances.feature; first += view.feature)
		if (check_moments(mean + first, var + first, view.feature, e) < 0)
			return -1;
	return 0;
}

int
forward_moments(
    struct crew *crew, const struct tensor *t, struct norm_view view, double *mean, double *var, struct err *e)
{
	parts_moments(crew, real_of(t), t->values, view, mean, var);
	return check_moments(mean, var, view.feature, e);
}

/* The first value that is not finite; t->count when there is none. */
static size_t
first_non_finite(const struct tensor *t)
{
	const size_t size = datatype_size(t->datatype);
	double value;

	for (size_t i = 0; i < t->count; i++) {
		widen(real_of(t), (const unsigned char *)t->values + i * size, 1, &value);
		if (!isfinite(value))
			return i;
	}
	return t->count;
}

const char *
forward_where(const struct definition *d, const struct tensor *t, struct norm_view view, char out[FORWARD_WHERE_BYTES])
{
	const size_t i = first_non_finite(t), inner = view.inner > 0 ? view.inner : 1, run = i / inner;

	if (i == t->count)
		snprintf(out, FORWARD_WHERE_BYTES, "some value");
	else if (definition_is_shaped(d))
		snprintf(out, FORWARD_WHERE_BYTES, "row %zu (of those that are not padding)", run);
	else if (d->kind == KIND_BATCH_NORM)
		snprintf(out, FORWARD_WHERE_BYTES, "channel %zu", run % view.feature);
	else
		snprintf(out, FORWARD_WHERE_BYTES, "channel %zu of a sample", run % view.feature);
	return out;
}

int
forward_check_variance(const struct definition *d, const double *var, size_t features, struct err *e)
{
	for (size_t f = 0; f < features; f++)
		if (!(var[f] + d->eps > 0))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "channel %zu is constant: its variance is 0, and so is \"eps\", so that it cannot be "
			    "normalized",
			    f);
	return 0;
}

/* `var`, where the view's features have variances, else NULL. */
static int
refuse_output(
    const struct definition *d, const struct tensor *t, struct norm_view view, const double *var, struct err *e)
{
	char where[FORWARD_WHERE_BYTES];

	if (var != NULL && forward_check_variance(d, var, view.feature, e) < 0)
		return -1;
	forward_where(d, t, view, where);
	if (var == NULL && forward_eps(d, t->datatype) == 0)
		return err_fail(e, ERR_NON_FINITE_INPUT,
		    "%s cannot be normalized: it is constant and \"eps\" is 0, or it holds a NaN or an infinity, or "
		    "overflows",
		    where);
	return err_fail(e, ERR_NON_FINITE_INPUT, "%s: a normalized value does not fit %s, or is not a number", where,
	    datatype_name(t->datatype));
}

/* The end of every forward pass: `finite` says whether all results fit the datatype; `var` as in refuse_output. */
static int
finish(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view, const double *var,
    bool finite, struct err *e)
{
	if (!finite)
		return refuse_output(d, t, view, var, e);
	if (d->clip > 0)
		parts_normalize_clip(crew, real_of(t), t->values, t->count, d->clip);
	return 0;
}

double
forward_eps(const struct definition *d, enum datatype datatype)
{
	return d->eps_of_datatype ? reals[datatype].epsilon : d->eps;
}

int
forward_by_statistics(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *var, struct scale_shift p, double *rstd, struct err *e)
{
	bool finite;

	normalize_rstd(var, d->eps, view.feature, rstd);
	finite = parts_normalize_by_feature(crew, real_of(t), t->values, view, mean, rstd, p.weight, p.bias);
	return finish(crew, d, t, view, var, finite, e);
}

int
forward_batch(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, double *mean, double *var, double *rstd, struct err *e)
{
	bool finite;

	if (forward_check_count(norm_view_count(view), e) < 0)
		return -1;
	finite = parts_normalize_batch(crew, real_of(t), t->values, view, d->eps, p.weight, p.bias, mean, var, rstd);
	if (check_moments(mean, var, view.feature, e) < 0)
		return -1;
	return finish(crew, d, t, view, var, finite, e);
}

int
forward_by_instances(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *rstd, struct scale_shift p, struct err *e)
{
	bool finite = parts_normalize_by_sample(crew, real_of(t), t->values, view, mean, rstd, p.weight, p.bias);

	return finish(crew, d, t, view, NULL, finite, e);
}

int
forward_by_rows(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *rstd, struct scale_shift p, struct err *e)
{
	bool finite = parts_normalize_rows_by(
	    crew, real_of(t), t->values, view.feature, view.inner, mean, rstd, p.weight, p.bias);

	return finish(crew, d, t, view, NULL, finite, e);
}

/* The weight of each channel undoes itself only where it is not 0. */
static int
invert_weight(const double *weight, size_t features, double *inverse, struct err *e)
{
	for (size_t f = 0; f < features; f++) {
		inverse[f] = weight == NULL ? 1 : 1 / weight[f];
		if (weight != NULL && !isfinite(inverse[f]))
			return err_fail(e, ERR_BAD_PARAMETER,
			    "the weight of channel %zu is %g: what it did cannot be undone", f, weight[f]);
	}
	return 0;
}

int
forward_inverse(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *var, struct scale_shift p, double *scratch, struct err *e)
{
	double *inverse = scratch, *deviation = scratch + view.feature, *zero = deviation + view.feature;
	bool finite;

	if (invert_weight(p.weight, view.feature, inverse, e) < 0)
		return -1;
	for (size_t f = 0; f < view.feature; f++) {
		deviation[f] = sqrt(var[f] + d->eps);
		zero[f] = 0;
	}
	finite = parts_normalize_by_feature(
	    crew, real_of(t), t->values, view, p.bias != NULL ? p.bias : zero, inverse, deviation, mean);
	return finite ? 0 : refuse_output(d, t, view, NULL, e);
}

/*
 * |x - mean| is at most sqrt(n var), so |y| is at most |weight| sqrt(n) + |bias|; half the range leaves room for
 * rounding.
 */
bool
forward_surely_finite(
    const struct definition *d, size_t features, uint64_t count, double limit, const double *var, struct scale_shift p)
{
	const double root = sqrt((double)count);

	for (size_t f = 0; f < features; f++) {
		double weight = p.weight == NULL ? 1 : fabs(p.weight[f]), bias = p.bias == NULL ? 0 : fabs(p.bias[f]);

		if (!(var[f] + d->eps >= DBL_MIN) || !(weight * root + bias < limit / 2))
			return false;
	}
	return true;
}

int
forward_check_values(const struct definition *d, struct norm_view view, struct err *e)
{
	if (d->kind == KIND_INSTANCE_NORM && view.inner < 2)
		return refuse_few(1, "instance", e);
	if (d->kind == KIND_GROUP_NORM && view.outer * (view.feature / d->num_groups) * view.inner < 2)
		return refuse_few(1, "group", e);
	return 0;
}

int
forward_by_sample(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, struct err *e)
{
	const double eps = forward_eps(d, t->datatype);
	const size_t groups = d->kind == KIND_GROUP_NORM ? d->num_groups : view.feature;
	const enum norm_real real = real_of(t);
	bool finite;

	if (definition_is_shaped(d))
		finite = parts_normalize_rows(
		    crew, real, t->values, view.feature, view.inner, d->kind == KIND_LAYER_NORM, eps, p.weight, p.bias);
	else
		finite = parts_normalize_groups(crew, real, t->values, view, groups, eps, p.weight, p.bias);
	return finish(crew, d, t, view, NULL, finite, e);
}
