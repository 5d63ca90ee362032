/* SPDX-License-Identifier: MIT */
/*
 * Digests of layers and of versions: SHA-256 over a canonical form, which docs/DIGESTS.md describes byte by byte, so
 * that clients compute the same. Layers with equal digests give equal results. The form never changes: another one
 * would be a digest of another name.
 */
#pragma once

#include "base/sha256.h"
#include "layer/definition.h"

/*
 * The digest of a layer's definition, parameters and statistics, the latter with the definition's number of features
 * replaced by statistics->features where it was left out. `weight` and `bias` are definition_parameter_count values
 * each; NULL is the same as ones and zeros, and statistics without mean and var as mean 0 and variance 1. Allocates
 * nothing. The time grows with the number of values that are given, not with the number that NULL stands for.
 */
void layer_digest(const struct definition *d, const struct statistics *statistics, const double *weight,
    const double *bias, unsigned char out[SHA256_BYTES]);

/* The digest of a version, from those of all of its layers in the order of the bytes of their names. A plain value. */
struct version_digest {
	struct sha256 sha;
};

void version_digest_begin(struct version_digest *v);
void version_digest_add(struct version_digest *v, const char *layer, const unsigned char digest[SHA256_BYTES]);
void version_digest_end(struct version_digest *v, unsigned char out[SHA256_BYTES]);
