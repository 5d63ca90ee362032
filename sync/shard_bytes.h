/* SPDX-License-Identifier: MIT */
/*
 * A shard as bytes: count, limit, whether it is empty, then mean, var and, in backward, sum and product; little-endian.
 */
#pragma once

#include "norm/pool.h"

/* *length is set. malloc'ed; NULL without memory. */
unsigned char *shard_to_bytes(const struct shard *s, bool backward, size_t *length);

/*
 * Reads it. `values` has room for 4 * features doubles, which the shard refers to. False: these bytes are no shard of
 * so many features.
 */
bool shard_from_bytes(
    const unsigned char *bytes, size_t length, size_t features, bool backward, double *values, struct shard *s);
