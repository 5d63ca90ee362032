/* SPDX-License-Identifier: MIT */
/* What the backward pass computes of each channel, or of each position of a row. */
#pragma once

#include "layer/call.h"

struct channels {
	double *weight, *bias; /* a piece's gradients by them; of a shard the sums */
	double *rstd;
	double *room;              /* 2 doubles a channel, for moments */
	double *r, *d;             /* of renormalization, */
	double *r_weight, *d_bias; /* and what they make of weight and bias */
	void *output;              /* room for the output, where the definition clips */
};

/* Takes c->channels, with zeros for the channels of the call's view, and c->scratch: 3 doubles a channel. */
int channels_init(struct call *c, struct err *e) MUST_CHECK;

/* A backward pass over the input `x` and the gradient `g`, which takes its memory from `c`. */
struct norm_pass
channels_pass(const struct call *c, const struct norm_op *op, const struct piece *x, const struct piece *g);

/* Fails with non_finite_input; the message says where in the gradient `g` a value is not finite. */
int channels_refuse(const struct call *c, const struct piece *g, struct err *e);

/* Fails with non_finite_input unless the gradients by weight and bias are finite, where the layer has them. */
int channels_check(const struct call *c, struct err *e) MUST_CHECK;
