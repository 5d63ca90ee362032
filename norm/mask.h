/*
 * Padding: positions of a batch that take no part in statistics (docs/MATH.md, equation 30). A mask has a byte for each sample's position, the
 * same for all its channels: 0 is padding. What counts is packed densely, and the moments of that are measured, so they are those of
 * the unpadded values alone.
 */
#ifndef NORM_MASK_H
#define NORM_MASK_H

#include <stdbool.h>

#include "norm/cut.h"
#include "norm/view.h"

/* How many of `n` positions count. */
size_t mask_count(const unsigned char *mask, size_t n);

/*
 * A tensor of which position (outer o, inner i) counts by mask[o * view.inner + i], packed: by feature, (1, feature, count), of which each
 * part of the features may be packed at the same time; where inner is 1 step by step, (count, feature, 1).
 *
 *   in   x      view.outer * view.feature * view.inner elements
 *   in   count  mask_count
 *   out  packed   view.feature * count elements
 */
struct norm_view mask_packed_view(struct norm_view view, size_t count);
void mask_pack_features(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask,
    struct norm_part features, size_t count, void *packed);
void mask_pack_steps(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask, void *packed);

/*
 * Packs a run of `n` elements from element `first` of a tensor of samples of `channels` * `positions` elements. Returns how many count.
 *
 *   in   x     the run
 *   in   mask  samples * positions
 *   out  packed   room for n elements
 */
size_t mask_pack_run(enum norm_real real, const void *x, size_t first, size_t n, size_t channels, size_t positions,
    const unsigned char *mask, void *packed);

/* The largest |x| of the padding of a view as above, an infinity where one is not finite; 0 where there is none. */
double mask_padding_largest(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask);

/*
 * x[i] = factor[f] * was[i] at every padding of a view as above; of a run as above, where it is factor * weight[i] (NULL: 1) * was[i].
 * Returns whether all of x is finite then.
 */
bool mask_scale_features(
    enum norm_real real, void *x, const void *was, struct norm_view view, const unsigned char *mask, const double *factor);
bool mask_scale_run(enum norm_real real, void *x, const void *was, size_t first, size_t n, size_t channels, size_t positions,
    const unsigned char *mask, double factor, const double *weight);

#endif
