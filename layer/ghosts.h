/* SPDX-License-Identifier: MIT */
/*
 * How a batch is cut into ghost batches (Hoffer, Hubara, Soudry 2017), which batch normalization normalizes each by its
 * own moments, perhaps after its samples were shuffled by a seed. By default the whole batch is one piece.
 */
#ifndef LAYER_GHOSTS_H
#define LAYER_GHOSTS_H

#include "base/workspace.h"
#include "codec/tensor.h"
#include "layer/definition.h"
#include "norm/cut.h"

struct ghosts {
	size_t samples;
	size_t each;  /* samples of every piece but the last, which may be smaller */
	size_t count; /* pieces; 0 where there are no samples */

	/* Where they are shuffled; else NULL. In the workspace. */
	size_t *order;
	void *scratch;
};

/*
 * How `samples` are cut: as torch.chunk does, into as many pieces of at most `each` (0: all) as it takes, at least
 * `count_min`.
 */
struct ghosts ghosts_cut(size_t samples, size_t each, size_t count_min);

/*
 * Cuts a tensor that is not empty as its layer's definition says; `seed` is that of the shuffle, where there is one.
 * shape_mismatch where its samples are not its first dimension, overloaded.
 */
int ghosts_init(struct workspace *ws, const struct definition *d, const struct tensor *t, uint64_t seed,
    struct ghosts *g, struct err *e) MUST_CHECK;

/* The samples in their shuffled order, and back. Nothing where they are not shuffled. */
void ghosts_shuffle(const struct ghosts *g, struct tensor *t);
void ghosts_unshuffle(const struct ghosts *g, struct tensor *t);

/* The samples of piece `i`. */
struct norm_part ghosts_samples(const struct ghosts *g, size_t i);

#endif
