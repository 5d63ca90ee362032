/* SPDX-License-Identifier: MIT */
/* The shape of the tensors that a layer takes, for clients that ask before they send one. */
#pragma once

#include "layer/definition.h"

/* An extent that may vary. */
#define SHAPE_ANY ((int64_t)-1)

struct layer_shape {
	unsigned rank;
	int64_t extents[TENSOR_RANK_MAX];
};

/*
 * The shape of the least rank that the layer is used with, where `features` (0: not fixed yet) is its number of
 * channels: (N, C) for batch_norm, (N, C, L) for instance_norm and group_norm, (N, normalized_shape...) for layer_norm
 * and rms_norm. Most kinds take tensors of other ranks too (layer/fit.c), which a single shape cannot say.
 */
void layer_shape_of(const struct definition *d, size_t features, struct layer_shape *out);
