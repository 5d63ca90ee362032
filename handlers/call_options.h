/* SPDX-License-Identifier: MIT */
/* The options that several calls share. */
#pragma once

#include "handlers/option.h"
#include "layer/pieces.h"

/* mask_options.c, seed_options.c, sync_options.c */
extern const struct input lengths_input, mask_input, seed_input, sync_input;

/*
 * Reads which positions of a tensor that fits the definition are values and which are padding. A sample's positions are
 * the dimensions after dimension 0 except the channels, or those before normalized_shape. `lengths` is a number for
 * each sample, and needs a sample's positions to be one dimension. `mask` is true or false for every position of every
 * sample. If neither is given, or the tensor is empty, out->keep is NULL. Errors: bad_parameter, bad_tensor,
 * shape_mismatch.
 */
int mask_options_get(
    struct request *rq, const struct definition *d, const struct tensor *t, struct mask *out, struct err *e) MUST_CHECK;

/* A random seed; under an Idempotency-Key one that follows from the body, so that a repeat shuffles in the same way. */
int seed_options_own(const struct request *rq, uint64_t *seed, struct err *e) MUST_CHECK;

/* Reads the seed of the shuffle; *given tells whether it is there. bad_parameter for a layer that does not shuffle. */
int seed_options_get(const struct request *rq, uint64_t *seed, bool *given, struct err *e) MUST_CHECK;

/*
 * Reads {"step": "1042", "rank": 0, "world_size": 4, "timeout_ms": 10000} into rq->sync_call, in the request's memory;
 * without the option that stays NULL. bad_parameter also for a layer that cannot be synchronized (batch_norm without
 * ghost batches can), and beside an Idempotency-Key.
 */
int sync_options_get(struct request *rq, struct err *e) MUST_CHECK;
