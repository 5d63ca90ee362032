/* SPDX-License-Identifier: MIT */
/*
 * A batch is cut into pieces; all values of a piece are normalized together. Padding ends here, for every kind and for
 * backward: the values that count are packed once, everything else sees pieces without padding, and the results are put
 * back, with zeros at padding.
 */
#pragma once

#include "layer/ghosts.h"
#include "norm/padding.h"
#include "norm/pass.h"

/* Which positions count: a byte each, 1 counts, 0 is padding. `keep` NULL: there is no padding. */
struct mask {
	unsigned char *keep;
	size_t samples;
	size_t positions; /* of a sample */
};

/* How a batch is cut. Rows (layer_norm, rms_norm) are always one piece: a whole row counts or is padding. */
enum pieces_way {
	PIECES_WHOLE,    /* one piece */
	PIECES_IN_PLACE, /* one piece, and padding stays in it: for results that depend on one value each */
	PIECES_GHOSTS,   /* the ghost batches of the definition */
	PIECES_SAMPLES   /* one piece; with padding, stretches of samples of which equally many positions count */
};

struct pieces {
	size_t count;          /* 0 where the tensor has no samples */
	struct norm_view view; /* of the tensor */
	enum norm_real real;
	size_t elements; /* of all pieces */
	bool rows;       /* the view is (1, rows, size) */
	bool in_place;   /* nothing is packed */
	struct ghosts ghosts;
	struct norm_part *samples; /* of each piece; NULL: those of the ghost batches */
	struct padding padding;    /* keep NULL: none */
};

/* A piece: values without padding, in place, and their view. */
struct piece {
	void *values;
	size_t count;
	enum norm_real real;
	struct norm_view view;
};

struct call;

/* How a kind is cut if it is normalized by its own moments. */
enum pieces_way pieces_way_of(const struct definition *d, bool train);

/*
 * Cuts the call's tensor into c->pieces; only PIECES_WHOLE takes an empty one. Shuffles the mask as the samples will
 * be. shape_mismatch; too_few_values if an instance has one value, or each group of the whole batch.
 */
int pieces_cut(struct call *c, enum pieces_way way, struct err *e) MUST_CHECK;

/*
 * Gives the values of the call's tensor, or of another of its shape and datatype, as pieces_get wants them: shuffled in
 * place; if there is padding, packed into the workspace (but for PIECES_IN_PLACE).
 */
int pieces_take(struct call *c, struct tensor *t, void **values, struct err *e) MUST_CHECK;

/* Piece `i` of what pieces_take gave. */
struct piece pieces_get(const struct pieces *p, void *values, size_t i);

/* A pass over a piece, in place. The caller sets what else the operation needs (norm/pass.h). */
static inline struct norm_pass
piece_pass(const struct norm_op *op, const struct piece *p)
{
	return (struct norm_pass){ .op = op, .real = p->real, .view = p->view, .x = p->values, .y = p->values };
}

/* Puts the pieces back into the tensor: in the samples' own order, with zeros at padding. */
void pieces_put(struct call *c, void *values, struct tensor *t);
