/* SPDX-License-Identifier: MIT */
#include "layer/shape.h"

/* The highest rank where a dimension is chosen for the channels (layer/fit.c). */
#define RANK_MAX 5u

/* The least rank with a dimension `axis`, not below `rank`. One from the end has the samples before it. */
static unsigned
rank_with_axis(unsigned rank, int axis)
{
	const unsigned needed = axis < 0 ? (unsigned)(1 - axis) : (unsigned)axis + 1;

	rank = needed > rank ? needed : rank;
	return rank < RANK_MAX ? rank : RANK_MAX;
}

/* Samples, and positions beside the channels where the kind has them. */
static void
channels_shape(const struct definition *d, size_t features, struct layer_shape *out)
{
	const int axis = d->channel_axis;

	out->rank = rank_with_axis(d->kind == KIND_BATCH_NORM ? 2 : 3, axis);
	for (unsigned i = 0; i < out->rank; i++)
		out->extents[i] = SHAPE_ANY;
	if (features != 0)
		out->extents[axis < 0 ? (int)out->rank + axis : axis] = (int64_t)features;
}

void
layer_shape_of(const struct definition *d, size_t features, struct layer_shape *out)
{
	if (!definition_is_shaped(d)) {
		channels_shape(d, features, out);
		return;
	}
	/* No tensor has a rank above TENSOR_RANK_MAX. */
	out->rank = d->normalized_rank + (d->normalized_rank < TENSOR_RANK_MAX);
	out->extents[0] = SHAPE_ANY;
	for (unsigned i = 1; i <= d->normalized_rank; i++)
		out->extents[out->rank - i] = (int64_t)d->normalized_shape[d->normalized_rank - i];
}
