/* SPDX-License-Identifier: MIT */
/* A tensor's values, as they come. Private to codec/. */
#pragma once

#include <stdint.h>

#include "base/budget.h"
#include "base/err.h"
#include "codec/tensor.h"

struct json_doubts; /* json_doubts.h */

struct json_values {
	enum datatype datatype;
	bool non_finite; /* NaN, Infinity and -Infinity are values */
	bool open;       /* the datatype is not known yet: doubles, with `doubts` (NULL: none) */
	struct json_doubts *doubts;
	unsigned char *bytes;
	size_t count;
	size_t capacity;             /* in values, as the next two */
	size_t count_max;            /* the room that the document's other tensors leave */
	size_t expected;             /* by the shape; 0: there is none */
	size_t bytes_max;            /* of all of the document's tensors, for the message */
	struct budget_share *memory; /* where the values' memory is counted */
};

/* Makes room for at least one value more. Errors: body_too_large (at `at`, the value's offset), overloaded. */
int json_values_grow(struct json_values *v, uint64_t at, struct err *e) MUST_CHECK;

/*
 * Before the first value: the shape has `count` values. Makes room for them if they are few; many get room as they
 * come, so that no client gets memory for what it does not send. Errors: body_too_large (at `at`) if there can never be
 * room for so many, overloaded.
 */
int json_values_expect(struct json_values *v, size_t count, uint64_t at, struct err *e) MUST_CHECK;

/* Frees the memory that the values do not need. */
void json_values_trim(struct json_values *v);
