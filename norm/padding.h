/* SPDX-License-Identifier: MIT */
/*
 * Padding is left out before anything is measured (docs/MATH.md, equation 30): the values that count are packed
 * densely, all kernels see the packed tensor alone, and its results are unpacked. So nothing depends on what padding
 * holds. A mask has a byte for each sample's position, the same for all channels: 1 counts, 0 is padding.
 */
#ifndef NORM_PADDING_H
#define NORM_PADDING_H

#include "norm/cut.h"
#include "norm/view.h"

/*
 * A tensor with padding, as a view. Position (outer o, inner i) of it counts where keep[o * view.inner + i] is 1.
 *
 * Where view.inner is 1, the steps that count are packed in their order: (count, feature, 1). Otherwise each `together`
 * samples are packed by themselves, feature by feature: (1, feature, count), one such block after the other.
 */
struct padding {
	struct norm_view view;
	const unsigned char *keep; /* view.outer * view.inner; NULL: the tensor has no padding */
	size_t samples;            /* divides view.outer */
	size_t together;           /* samples of a block; the last block may have fewer */
	const size_t *start;       /* samples + 1: how many positions count before each sample, and in all */
};

/* Fills in `start` from a mask of `samples` * `positions` bytes. */
void padding_starts(const unsigned char *keep, size_t samples, size_t positions, size_t *start);

/* Into how many parts packing and unpacking may be cut. */
size_t padding_parts(const struct padding *p);

/*
 * Packs a part of a tensor; unpacks it, with zeros at padding. The parts may run at the same time.
 *
 *   x        view.outer * view.feature * view.inner elements
 *   packed   view.feature * start[samples] elements; does not overlap x
 */
void padding_pack(enum norm_real real, const struct padding *p, struct norm_part part, const void *x, void *packed);
void padding_unpack(enum norm_real real, const struct padding *p, struct norm_part part, const void *packed, void *x);

/*
 * Where each value is computed by itself nothing needs to be packed: padding_fill replaces padding by the values of the
 * first position that counts (zeros where none does), feature by feature, so that it fails only where they do;
 * padding_clear writes zeros there in the end. The parts are the same, and may run at the same time.
 */
void padding_fill(enum norm_real real, const struct padding *p, struct norm_part part, void *x);
void padding_clear(enum norm_real real, const struct padding *p, struct norm_part part, void *x);

#endif
