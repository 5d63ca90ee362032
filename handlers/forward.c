#include "handlers/forward.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "norm/moments.h"
#include "norm/normalize.h"

#define BATCH_RANK_MIN 2
#define BATCH_RANK_MAX 5

/* What a datatype is to the kernels, and its largest number. */
struct real_row {
	enum norm_real real;
	double largest;
};

static const struct real_row reals[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { NORM_FLOAT, (double)FLT_MAX },
	[DATATYPE_FP64] = { NORM_DOUBLE, DBL_MAX },
	[DATATYPE_FP16] = { NORM_HALF, 65504 },
	[DATATYPE_BF16] = { NORM_BFLOAT, 0x1.fep127 },
};

enum norm_real
forward_real(enum datatype datatype)
{
	return reals[datatype].real;
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
	(void)err_set(e, ERR_SHAPE_MISMATCH, "the layer takes %s, not %s", expected, actual);
	snprintf(e->expected, sizeof(e->expected), "%s", expected);
	snprintf(e->actual, sizeof(e->actual), "%s", actual);
	return -1;
}

static int
batch_norm_view(const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view, struct err *e)
{
	int axis = d->channel_axis < 0 ? d->channel_axis + (int)t->rank : d->channel_axis;
	char expected[sizeof(e->expected)];

	if (t->rank < BATCH_RANK_MIN || t->rank > BATCH_RANK_MAX)
		return refuse_shape(t, "2 to 5 dimensions, (N, C) to (N, C, D, H, W)", e);
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
layer_norm_view(const struct definition *d, const struct tensor *t, struct norm_view *view, struct err *e)
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
	if (d->kind == KIND_BATCH_NORM)
		return batch_norm_view(d, features, t, view, e);
	return layer_norm_view(d, t, view, e);
}

int
forward_moments(const struct tensor *t, struct norm_view view, double *mean, double *var, struct err *e)
{
	if (norm_view_count(view) < 2)
		return err_set(e, ERR_TOO_FEW_VALUES, "the batch has one value per channel; its variance needs at least two");
	moments(real_of(t), t->values, view, mean, var);
	for (size_t f = 0; f < view.feature; f++)
		if (!isfinite(mean[f]) || !isfinite(var[f]))
			return err_set(
			    e, ERR_NON_FINITE_INPUT, "channel %zu holds a NaN or an infinity, or its variance overflows", f);
	return 0;
}

static int
refuse_output(const struct tensor *t, struct err *e)
{
	return err_set(
	    e, ERR_NON_FINITE_INPUT, "a normalized value does not fit %s, or is not a number", datatype_name(t->datatype));
}

int
forward_by_statistics(const struct definition *d, struct tensor *t, struct norm_view view, const double *mean,
    const double *var, struct scale_shift p, double *rstd, struct err *e)
{
	normalize_rstd(var, d->eps, view.feature, rstd);
	return normalize_by_feature(real_of(t), t->values, view, mean, rstd, p.weight, p.bias) ? 0 : refuse_output(t, e);
}

/* |x - mean| is at most sqrt(n var), so |y| is at most |weight| sqrt(n) + |bias|; half the range leaves room for rounding. */
bool
forward_surely_finite(
    const struct definition *d, const struct tensor *t, struct norm_view view, const double *var, struct scale_shift p)
{
	double limit = reals[t->datatype].largest / 2;
	double reach = sqrt((double)norm_view_count(view));

	for (size_t f = 0; f < view.feature; f++) {
		double weight = p.weight == NULL ? 1 : fabs(p.weight[f]), bias = p.bias == NULL ? 0 : fabs(p.bias[f]);

		if (!(var[f] + d->eps >= DBL_MIN) || !(weight * reach + bias < limit))
			return false;
	}
	return true;
}

int
forward_by_sample(const struct definition *d, struct tensor *t, struct scale_shift p, struct err *e)
{
	size_t size = definition_parameter_count(d, 0);

	if (t->count == 0)
		return 0;
	return normalize_rows(real_of(t), t->values, t->count / size, size, d->eps, p.weight, p.bias) ? 0 : refuse_output(t, e);
}
