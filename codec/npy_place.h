/* SPDX-License-Identifier: MIT */
/* Puts values that come in Fortran order (first index fastest) into their row-major places. Private to codec/. */
#pragma once

#include "codec/tensor.h"

struct npy_place {
	unsigned rank;
	size_t size;                    /* bytes of a value */
	size_t shape[TENSOR_RANK_MAX];  /* no extent of 0 */
	size_t stride[TENSOR_RANK_MAX]; /* bytes from an index to the next one, in row-major order */
	size_t index[TENSOR_RANK_MAX];  /* of the next value */
	unsigned char *at;              /* its place */
};

/* Starts at the first value of `t`, which is not empty; t->values must not move. */
void npy_place_init(struct npy_place *p, const struct tensor *t);

/* Puts the next `count` values, no more than the tensor has left. */
void npy_place_values(struct npy_place *p, const unsigned char *values, size_t count);
