/* SPDX-License-Identifier: MIT */
/*
 * How a kernel sees a tensor: as a dense row-major block (outer, feature, inner). One reduction, over outer and inner
 * for each feature, then serves every kind:
 *
 *   batch_norm, (N, C, spatial...)      outer = N,  feature = C,     inner = product of spatial
 *   batch_norm, channels last           outer = N * spatial,  feature = C,  inner = 1
 *   layer_norm, normalized_shape of D   outer = 1,  feature = rows,  inner = D
 *
 * Throughout norm/: arrays are the caller's, nothing is allocated, nothing is read or written but the arguments, so any
 * function may be called from any thread. Elements are of any type of enum norm_real; all arithmetic is in double, in
 * an order that the view alone fixes. So work may be cut into parts that give the same bits as the whole (norm/cut.h).
 */
#ifndef NORM_VIEW_H
#define NORM_VIEW_H

#include <stddef.h>
#include <stdint.h>

struct norm_view {
	size_t outer;
	size_t feature;
	size_t inner;
};

/* The type of a tensor's elements, where a function takes `void *`. */
enum norm_real {
	NORM_FLOAT,
	NORM_DOUBLE,
	NORM_HALF,  /* uint16_t, the bits of IEEE 754 binary16 */
	NORM_BFLOAT /* uint16_t, the upper bits of a binary32 */
};

#define NORM_REALS 4

/* Bytes of one element. */
static inline size_t
norm_real_size(enum norm_real real)
{
	static const unsigned char size[NORM_REALS] = {
		[NORM_FLOAT] = sizeof(float),
		[NORM_DOUBLE] = sizeof(double),
		[NORM_HALF] = sizeof(uint16_t),
		[NORM_BFLOAT] = sizeof(uint16_t),
	};

	return size[real];
}

/* Values per feature. */
static inline size_t
norm_view_count(struct norm_view v)
{
	return v.outer * v.inner;
}

#endif
