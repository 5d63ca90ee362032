/* SPDX-License-Identifier: MIT */
/*
 * The values of the tensors that are kept, from the data as it arrives. Data may be unaligned, and a piece may cut a
 * value, so bytes are copied and never cast. Private to codec/.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "codec/safetensors_dtype.h"
#include "codec/sort.h"

struct safetensors_values {
	struct budget_share *memory;
	uint64_t data_at; /* of the data, in the file */
	uint64_t taken;   /* of the data, so far */

	struct buf kept;         /* of struct values_to */
	struct sort_item *order; /* of these, by where they begin; NULL before the first byte, or if there are none */
	size_t next;             /* the first of them that has not ended */
	unsigned char cut[8];    /* the first bytes of a value that a piece has cut */
};

/* What is kept of a tensor: doubles, if `doubles` is not NULL, or whole numbers. */
struct values_to {
	uint64_t begin; /* of its data, in the data */
	uint64_t bytes;
	enum safetensors_dtype dtype;
	double *doubles;
	uint64_t *wholes;
};

/* Nothing is kept yet. The data begins at `data_at` of the file. */
void safetensors_values_init(struct safetensors_values *v, uint64_t data_at, struct budget_share *memory);

void safetensors_values_fini(struct safetensors_values *v);

/* Keeps a tensor, before the first byte of data. Error: overloaded. */
int safetensors_values_keep(struct safetensors_values *v, const struct values_to *to, struct err *e) MUST_CHECK;

/* The next bytes of the data. Errors: bad_safetensors for a whole number below 0, at its offset; overloaded. */
int safetensors_values_feed(struct safetensors_values *v, const char *bytes, size_t len, struct err *e) MUST_CHECK;
