/* SPDX-License-Identifier: MIT */
/*
 * Ghost batches (Hoffer, Hubara, Soudry 2017): batch normalization can cut a batch into pieces, each normalized by its
 * own moments, perhaps after shuffling the samples by a seed. By default the whole batch is one piece.
 */
#pragma once

#include "base/workspace.h"
#include "codec/tensor.h"
#include "layer/definition.h"
#include "norm/cut.h"

struct ghosts {
	size_t samples;
	size_t each;  /* samples of every piece but the last, which may be smaller */
	size_t count; /* pieces; 0 if there are no samples */

	/* For shuffling, in the workspace; else NULL. */
	size_t *order;
	void *scratch;
};

/* Cuts as torch.chunk does, into pieces of at most `each` samples (0: all), at least `count_min` pieces. */
struct ghosts ghosts_cut(size_t samples, size_t each, size_t count_min);

/*
 * Cuts a tensor that is not empty by the definition; `seed` is for its shuffle. shape_mismatch if the samples are not
 * in dimension 0.
 */
int ghosts_init(struct workspace *ws, const struct definition *d, const struct tensor *t, uint64_t seed,
    struct ghosts *g, struct err *e) MUST_CHECK;

/* Puts the samples into their shuffled order, and back. Does nothing unless the definition shuffles. */
void ghosts_shuffle(const struct ghosts *g, struct tensor *t);
void ghosts_unshuffle(const struct ghosts *g, struct tensor *t);

/* The samples of piece `i`. */
struct norm_part ghosts_samples(const struct ghosts *g, size_t i);
