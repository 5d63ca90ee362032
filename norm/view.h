/* SPDX-License-Identifier: MIT */
/*
 * A view describes a tensor to the kernels as a dense row-major block (outer, feature, inner). One reduction over outer
 * and inner for each feature then serves every kind:
 *
 *   batch_norm, (N, C, spatial...)      outer = N,  feature = C,     inner = product of spatial
 *   batch_norm, channels last           outer = N * spatial,  feature = C,  inner = 1
 *   layer_norm, normalized_shape of D   outer = 1,  feature = rows,  inner = D
 *
 * For all of norm/: arrays belong to the caller; nothing is allocated; functions read and write only their arguments,
 * so that any thread may call them. All arithmetic is in double, in an order that the view alone fixes, so that a pass
 * cut into parts gives the bits of the whole (norm/cut.h).
 */
#pragma once

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

static inline size_t
norm_view_elements(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

/* Values per feature. */
static inline size_t
norm_view_count(struct norm_view v)
{
	return v.outer * v.inner;
}
