/* SPDX-License-Identifier: MIT */
/* The growing array of a tensor's values. Private to codec/. */
#ifndef CODEC_JSON_VALUES_H
#define CODEC_JSON_VALUES_H

#include <stdint.h>

#include "base/budget.h"
#include "base/err.h"
#include "codec/tensor.h"

struct json_doubts; /* json_doubts.h */

struct json_values {
	enum datatype datatype;
	bool open; /* the datatype is not known yet: they are kept as doubles, with `doubts` (NULL: none) */
	struct json_doubts *doubts;
	unsigned char *bytes;
	size_t count;
	size_t capacity;             /* in values, as the two others */
	size_t count_max;            /* what the document's tensors may still take */
	size_t expected;             /* what a shape has announced; 0: nothing */
	size_t bytes_max;            /* of all of the document's tensors, for the message */
	struct budget_share *memory; /* where the values' memory is asked for */
};

/* Makes room for at least one value more. Returns -1 with body_too_large (`at`: the value's offset) or overloaded. */
int json_values_grow(struct json_values *v, uint64_t at, struct err *e) MUST_CHECK;

/*
 * `count` values are announced, and there are none yet. Makes room for them where they are few; many get room as they
 * come, so that nobody has memory for what he does not send. Errors as above, if that many can never be taken.
 */
int json_values_expect(struct json_values *v, size_t count, uint64_t at, struct err *e) MUST_CHECK;

/* Gives back what was allocated in excess. */
void json_values_trim(struct json_values *v);

#endif
