/* SPDX-License-Identifier: MIT */
/* One call of backward between its steps. Private to backward.c, gradients.c and backward_sync.c. */
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

struct backward {
	struct tensor *x, *g; /* the input; the gradient by the output, in whose place the one by the input comes */
	struct norm_view view;
	struct scale_shift parameters;
	bool train;
	uint64_t seed;
	struct mask mask;
	double *weight, *bias;    /* the gradients by them, definition_parameter_count values each */
	struct tensor tensors[2]; /* the same as tensors, for the answer */

	/* Of a shard of a synchronized step. */
	struct channels channels;
	struct pieces pieces;
	struct tensor x_values, g_values; /* as the pieces have them */
};

/*
 * The gradients of a whole batch that has values, from what the call says: w->g, w->weight and w->bias, which are 0
 * before.
 */
int gradients_compute(struct request *rq, struct backward *w, struct err *e) MUST_CHECK;

/*
 * A shard of a synchronized step (backward_sync.c): its moments, and its sums about its own mean, for rq->member; then
 * its gradients by the sums of the whole batch.
 */
int backward_shard(struct request *rq, struct backward *w, struct err *e) MUST_CHECK;
int backward_shard_output(struct request *rq, struct backward *w, struct err *e) MUST_CHECK;

/* ---- what the whole batch and a shard share */

/* Zeros for `n` channels, the request's. */
int gradients_channels_init(struct request *rq, size_t n, struct channels *c, struct err *e) MUST_CHECK;

/* Returns -1: a gradient is not finite; the message says where in `g`. */
int gradients_refuse(const struct definition *d, const struct piece *g, struct err *e);

#endif
