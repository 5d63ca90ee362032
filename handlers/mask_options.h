/* SPDX-License-Identifier: MIT */
/* The options `lengths` and `mask`: which positions of a batch are padding. */
#ifndef HANDLERS_MASK_OPTIONS_H
#define HANDLERS_MASK_OPTIONS_H

#include "handlers/option.h"
#include "layer/pieces.h"

extern const struct input lengths_input, mask_input;

/*
 * Reads which positions of a tensor that fits the definition are values and which are padding. A sample's positions are
 * the dimensions after dimension 0 except the channels, or those before normalized_shape. `lengths` is a number for
 * each sample, and needs a sample's positions to be one dimension. `mask` is true or false for every position of every
 * sample. If neither is given, or the tensor is empty, out->keep is NULL. Errors: bad_parameter, bad_tensor,
 * shape_mismatch.
 */
int mask_options_get(
    struct request *rq, const struct definition *d, const struct tensor *t, struct mask *out, struct err *e) MUST_CHECK;

#endif
