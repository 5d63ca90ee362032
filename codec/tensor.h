/* SPDX-License-Identifier: MIT */
/* A tensor: a shape and dense row-major values of one datatype. The values are the tensor's, from malloc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TENSOR_RANK_MAX 32

/* FP16 is IEEE 754's binary16, BF16 a float's upper half, for .npy alone; BOOL, a byte of 1 or 0, for masks alone. */
enum datatype { DATATYPE_FP32, DATATYPE_FP64, DATATYPE_FP16, DATATYPE_BF16, DATATYPE_BOOL, DATATYPE_COUNT };

struct tensor {
	enum datatype datatype;
	bool nested;   /* its form in JSON, also in the answer: nested lists, else a flat list */
	unsigned rank; /* 1..TENSOR_RANK_MAX when it is decoded */
	size_t shape[TENSOR_RANK_MAX];
	size_t count; /* product of shape; the product and its bytes fit size_t */
	void *values; /* `count` floats, doubles, bytes, or uint16_t (the bits of FP16, BF16); NULL if count is 0 */
};

/* "FP32"; the bytes of a value. */
const char *datatype_name(enum datatype datatype);
size_t datatype_size(enum datatype datatype);

/* Whether a JSON tensor may name it. */
bool datatype_is_textual(enum datatype datatype);

/* Finds the datatype of this name. -1: there is none. */
int datatype_parse(const char *name, size_t len, enum datatype *datatype) MUST_CHECK;

/* Frees the values and zeroes the tensor. */
void tensor_fini(struct tensor *t);

/* Writes the shape into `out`: "[2,3]", cut if it does not fit (160 bytes hold most). Returns `out`. */
const char *tensor_shape_text(const size_t *shape, unsigned rank, char *out, size_t size);
