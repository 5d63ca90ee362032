/* SPDX-License-Identifier: MIT */
/*
 * Padding is removed before anything is measured (docs/MATH.md, equation 30): values are packed densely, and results
 * unpacked. So no result depends on the content of padding.
 */
#pragma once

#include "norm/cut.h"
#include "norm/view.h"

/*
 * A tensor with padding. Position (outer o, inner i) holds values if keep[o * view.inner + i] is 1, padding if it is 0,
 * for all features alike.
 *
 * If view.inner is 1, the steps with values are packed in their order: (count, feature, 1). Otherwise each block of
 * `together` samples is packed by itself, feature by feature: (1, feature, count), one block after the other.
 */
struct padding {
	struct norm_view view;
	const unsigned char *keep; /* view.outer * view.inner bytes; NULL: the tensor has no padding */
	size_t samples;            /* divides view.outer */
	size_t together;           /* samples of a block; the last block may have fewer */
	const size_t *start;       /* samples + 1: positions with values before each sample, and in all */
};

/* Fills in `start` from a mask of `samples` * `positions` bytes. */
void padding_starts(const unsigned char *keep, size_t samples, size_t positions, size_t *start);

/*
 * norm/pass.h has the operations, with padding->view as view:
 *
 *   norm_pack     x, the tensor, to y, feature * start[samples] elements
 *   norm_unpack   the reverse, with zeros at padding; x and y must not overlap
 *   norm_fill     replaces padding in y, feature by feature, by the value of the first position that has one, or by 0.
 *                 For operations that compute each value by itself: they fail only where these values do.
 *   norm_clear    writes zeros at padding in y
 */
