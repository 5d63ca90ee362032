/* SPDX-License-Identifier: MIT */
/* How the kernels see a tensor of a layer. */
#ifndef LAYER_FIT_H
#define LAYER_FIT_H

#include "codec/tensor.h"
#include "layer/definition.h"
#include "norm/view.h"

/*
 * Checks that a tensor fits a layer with `features` features (0: not fixed yet), and gives the kernels' view of it;
 * else shape_mismatch, with the shape that was expected.
 *
 * Where weight and bias are a channel's, the view is (samples, channels, positions): batch_norm takes 2 to 5
 * dimensions with its channels on its axis, instance_norm 3 to 5, group_norm 2 or more. layer_norm and rms_norm take
 * any shape that ends in their normalized shape; the view is (1, rows, size).
 */
int fit_tensor(const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view,
    struct err *e) MUST_CHECK;

#endif
