/* SPDX-License-Identifier: MIT */
/* The gradients by input, weight and bias: of a whole batch, or of a shard of a synchronized step. */
#ifndef LAYER_GRADIENTS_H
#define LAYER_GRADIENTS_H

#include "layer/pieces.h"

/* Numbers for each channel, of one piece of the batch. */
struct channels {
	double *mean, *rstd;
	double *weight, *bias;     /* gradients */
	double *r, *d;             /* of renormalization, */
	double *r_weight, *d_bias; /* and what they make of weight and bias */
	double *scratch;           /* 3 for each channel */
};

/* What the gradients are of, and what they come to. */
struct backward {
	struct workspace *workspace;
	const struct definition *definition;
	const struct statistics *statistics; /* running; mean NULL: never trained */
	const char *layer;                   /* its name, for messages */
	struct tensor *x, *g; /* the input; the gradient by the output, in whose place the one by the input comes */
	struct norm_view view;
	struct scale_shift parameters;
	bool train;
	uint64_t seed;
	struct mask mask;
	double *weight, *bias;    /* the gradients by them, definition_parameter_count values each */
	struct tensor tensors[2]; /* the same as tensors, for the answer */

	void *output; /* room for the output, where it clips; NULL: not taken yet */

	/* Of a shard of a synchronized step. */
	struct channels channels;
	struct pieces pieces;
	struct tensor x_values, g_values; /* as the pieces have them */
};

/*
 * The gradients of a whole batch that has values, from what the call says: w->g, w->weight and w->bias, which are 0
 * before.
 */
int gradients_compute(struct backward *w, struct err *e) MUST_CHECK;

/* ---- what the whole batch and a shard share */

/* Zeros for `n` channels. */
int gradients_channels_init(struct workspace *ws, size_t n, struct channels *c, struct err *e) MUST_CHECK;

/* Returns -1: a gradient is not finite; the message says where in `g`. */
int gradients_refuse(const struct definition *d, const struct piece *g, struct err *e);

#endif
