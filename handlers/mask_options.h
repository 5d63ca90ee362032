/* `lengths` and `mask` in a body or the query: what of a batch is padding. */
#ifndef HANDLERS_MASK_OPTIONS_H
#define HANDLERS_MASK_OPTIONS_H

#include "handlers/mask.h"

/*
 * Reads how much of a tensor, which fits the definition, counts. By `lengths` (query, or a member of `body`): as many numbers as there are
 * samples; of a tensor of three dimensions. Or by `mask` (query, or the tensor in `slot`): true and false, or 1 and 0, for the samples by
 * the positions, which are all dimensions but the samples' and the channels'. Where neither is there, or nothing in the tensor,
 * out->keep is NULL. bad_parameter, bad_tensor, shape_mismatch.
 */
int mask_options_get(struct request *rq, const struct definition *d, const struct cJSON *body, size_t slot,
    const struct tensor *t, struct mask *out, struct err *e) MUST_CHECK;

#endif
