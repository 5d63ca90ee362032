/* SPDX-License-Identifier: MIT */
/* The options `lengths` and `mask`: which positions of a batch are padding. */
#ifndef HANDLERS_MASK_OPTIONS_H
#define HANDLERS_MASK_OPTIONS_H

#include "handlers/option.h"
#include "layer/pieces.h"

extern const struct input lengths_input, mask_input;

/*
 * Reads which positions of a tensor, which fits the definition, count. A sample's positions are the dimensions after
 * dimension 0, without the channels', or those before normalized_shape. `lengths` has a number for each sample, whose
 * positions are one dimension. `mask` has true and false, or 1 and 0, for samples by positions. If neither is given, or
 * the tensor is empty, out->keep is NULL. Errors: bad_parameter, bad_tensor, shape_mismatch.
 */
int mask_options_get(
    struct request *rq, const struct definition *d, const struct tensor *t, struct mask *out, struct err *e) MUST_CHECK;

#endif
