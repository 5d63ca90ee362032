/* SPDX-License-Identifier: MIT */
/*
 * A second reading of a .npy file, from the format's description alone (numpy.lib.format): its header by way of tokens,
 * each value where its index says. It shares nothing with the decoder that it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "codec/tensor.h"

struct npy_judgement {
	bool valid; /* the header is one that a decoder of floats must understand, its shape and size aside */
	enum datatype datatype;
	size_t size; /* bytes of a value */
	bool big_endian;
	bool fortran;
	unsigned rank; /* may be more than TENSOR_RANK_MAX, then only so many are in `shape` */
	size_t shape[TENSOR_RANK_MAX];
	bool overflow; /* an extent, or the product of those that are not 0, is beyond any memory */
	size_t count;
	size_t data_at; /* where the values begin */
};

struct npy_judgement npy_judge(const char *file, size_t len);

/* Where in the values the one with row-major index `i` is. */
size_t npy_judge_place(const struct npy_judgement *j, size_t i);
