/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "layer/call.h"

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
	err_set(e, ERR_SHAPE_MISMATCH, "the layer expects %s, not %s", expected, actual);
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
		snprintf(expected, sizeof(expected), "%zu channel%s in dimension %d", features, err_plural(features),
		    d->channel_axis);
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
call_fit(struct call *c, struct err *e)
{
	const struct definition *d = c->definition;

	if (definition_is_shaped(d))
		return shaped_view(d, c->tensor, &c->view, e);
	return channels_view(d, c->statistics.features, c->tensor, &c->view, e);
}
