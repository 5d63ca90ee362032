/* SPDX-License-Identifier: MIT */
/*
 * A permutation of a batch's samples by a seed, and back (Shuffling BN: He et al. 2020, arXiv:1911.05722): Fisher and
 * Yates' shuffle by Steele, Lea and Flood's SplitMix64, without bias. The same seed gives the same one everywhere.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* order[i] becomes the index of the sample at place i after shuffling, for `n` samples. */
void shuffle_order(uint64_t seed, size_t n, size_t *order);

/*
 * Moves samples to the shuffled order, and back, in place. Sample i has `bytes` bytes at x + i * bytes; `scratch` has
 * room for one. `order` comes from shuffle_order (below 2^63 samples); it is used for marks and restored.
 */
void shuffle_samples(void *x, size_t n, size_t bytes, size_t *order, void *scratch);
void shuffle_undo(void *x, size_t n, size_t bytes, size_t *order, void *scratch);
