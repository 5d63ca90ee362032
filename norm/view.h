/*
 * How a kernel sees a tensor: as a dense row-major block (outer, feature, inner). One reduction, over outer and inner for
 * each feature, then serves every kind:
 *
 *   batch_norm, (N, C, spatial...)      outer = N,  feature = C,     inner = product of spatial
 *   batch_norm, channels last           outer = N * spatial,  feature = C,  inner = 1
 *   layer_norm, normalized_shape of D   outer = 1,  feature = rows,  inner = D
 *
 * Throughout norm/: arrays are the caller's, nothing is allocated, nothing is read or written but the arguments, so any
 * function may be called from any thread. Elements are float or double (enum norm_real); all arithmetic is in double, in an
 * order that the view alone fixes.
 */
#ifndef NORM_VIEW_H
#define NORM_VIEW_H

#include <stddef.h>

struct norm_view {
	size_t outer;
	size_t feature;
	size_t inner;
};

/* The type of a tensor's elements, where a function takes `void *`. */
enum norm_real { NORM_FLOAT, NORM_DOUBLE };

/* Values per feature. */
static inline size_t
norm_view_count(struct norm_view v)
{
	return v.outer * v.inner;
}

#endif
