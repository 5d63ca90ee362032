/* SPDX-License-Identifier: MIT */
/*
 * The values of a tensor whose shape is known before they come, as bytes: they are written to their place. Memory is
 * allocated once, but counted as it is written, because a client may announce much and send little. Private to codec/.
 */
#pragma once

#include "base/budget.h"
#include "codec/tensor.h"

struct raw_values {
	struct tensor *tensor;
	struct budget_share *memory;
	size_t size;    /* bytes of all values */
	size_t taken;   /* bytes that have come */
	size_t counted; /* of `size`, in `memory` */
};

/* Begins with a tensor that has its datatype and shape, and no values. It must outlive `v`. */
void raw_values_init(struct raw_values *v, struct tensor *tensor, struct budget_share *memory);

/*
 * Allocates the values, which are then the tensor's. `whole`: all of them will be written to from the beginning on.
 * Errors: overloaded, body_too_large.
 */
int raw_values_allocate(struct raw_values *v, bool whole, struct err *e) MUST_CHECK;

/* Writes the next `len` bytes, at most as many as are missing. Errors: overloaded, body_too_large. */
int raw_values_add(struct raw_values *v, const char *bytes, size_t len, struct err *e) MUST_CHECK;
