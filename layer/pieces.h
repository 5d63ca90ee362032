/* SPDX-License-Identifier: MIT */
/*
 * What of a batch is normalized together: each piece of it is a tensor without padding, like any other, and so is
 * everything that is computed of it. Where there is padding, this is the stage before: the values that count are packed
 * once, and the results are put back, with zeros at padding.
 */
#ifndef LAYER_PIECES_H
#define LAYER_PIECES_H

#include "layer/ghosts.h"
#include "norm/padding.h"
#include "norm/view.h"

/*
 * A byte for each sample's position: 1 counts, 0 is padding. `keep` is NULL where there is no padding.
 */
struct mask {
	unsigned char *keep;
	size_t samples;
	size_t positions; /* of a sample */
};

/* How a batch is cut. Rows (layer_norm, rms_norm) are one piece in any case: a row counts, or it is padding. */
enum pieces_way {
	PIECES_WHOLE,    /* one piece: numbers for each channel, of the batch or running */
	PIECES_IN_PLACE, /* the same, where each value is computed by itself: padding stays, as values that count */
	PIECES_GHOSTS,   /* training by batch_norm: ghost batches (layer/ghosts.h), where the definition has them */
	/*
	 * moments of their own: without padding one piece, else stretches of samples of which equally many positions
	 * count
	 */
	PIECES_SAMPLES
};

struct pieces {
	size_t count;          /* 0 where the tensor has no samples */
	struct norm_view view; /* of the tensor */
	enum norm_real real;
	size_t elements; /* of all pieces */
	bool rows;       /* it is rows: (1, rows, size) */
	bool in_place;   /* nothing is packed */
	struct ghosts ghosts;
	struct norm_part *samples; /* of each piece; NULL: as the ghosts are cut */
	struct padding padding;    /* keep is NULL where there is none */
};

/* A piece: values without padding, in place, and their view. */
struct piece {
	void *values;
	size_t count;
	enum norm_real real;
	struct norm_view view;
};

struct call;

/* The way of a kind's own moments. */
enum pieces_way pieces_way_of(const struct definition *d, bool train);

/*
 * Cuts the call's tensor, which must not be empty, into c->pieces. The mask is put into the order of the shuffle.
 * too_few_values where an instance, or of groups the batch, has one value; shape_mismatch, overloaded.
 */
int pieces_cut(struct call *c, enum pieces_way way, struct err *e) MUST_CHECK;

/*
 * The values of the call's tensor, or of another of its shape and datatype, as pieces: shuffled in place and, where
 * there is padding, packed into the workspace. Without padding, and for PIECES_IN_PLACE, *values are the tensor's.
 */
int pieces_take(struct call *c, struct tensor *t, void **values, struct err *e) MUST_CHECK;

/* Piece `i` of what pieces_take gave. */
struct piece pieces_get(const struct pieces *p, void *values, size_t i);

/* Puts what the pieces have become back into the tensor: unpacked, 0 at padding, in the samples' own order. */
void pieces_put(struct call *c, void *values, struct tensor *t);

#endif
