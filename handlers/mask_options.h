/* SPDX-License-Identifier: MIT */
/* `lengths` and `mask` in a body or the query: what of a batch is padding. */
#ifndef HANDLERS_MASK_OPTIONS_H
#define HANDLERS_MASK_OPTIONS_H

#include "handlers/request.h"
#include "layer/pieces.h"

/*
 * Reads how much of a tensor, which fits the definition, counts. A sample's positions are the dimensions after the
 * samples' (0), without the channels', or those before normalized_shape. `lengths` (query, or a member of `body`) has a
 * number for each sample, whose positions are one dimension. `mask` (query, or the tensor in `slot`) has true and
 * false, or 1 and 0, for samples by positions. If neither is given, or the tensor is empty, out->keep is NULL.
 * bad_parameter, bad_tensor, shape_mismatch.
 */
int mask_options_get(struct request *rq, const struct definition *d, const struct cJSON *body, size_t slot,
    const struct tensor *t, struct mask *out, struct err *e) MUST_CHECK;

#endif
