/* SPDX-License-Identifier: MIT */
/* The list of a tensor's values, fed in any pieces. Private to codec/. */
#pragma once

#include "base/buf.h"
#include "codec/json_input.h"
#include "codec/json_nesting.h"
#include "codec/json_number.h"
#include "codec/json_values.h"

struct json_word; /* a value that is written as a word */

struct json_array {
	struct json_nesting nesting;
	struct json_values values;
	enum {
		JSON_ARRAY_OPENED,  /* after '[': an element or ']' */
		JSON_ARRAY_ELEMENT, /* after ',': an element */
		JSON_ARRAY_COMMA,   /* after an element: ',' or ']' */
		JSON_ARRAY_NUMBER,  /* in a number that began in an earlier piece of the input */
		JSON_ARRAY_WORD     /* in a word */
	} state;
	struct buf partial; /* that number so far */
	enum json_number number;
	uint64_t number_at;
	const struct json_word *word; /* true, false, NaN, Infinity or -Infinity */
	unsigned word_len;            /* of it so far */
};

/*
 * Begins before the outermost '['. `values` is empty, with its datatype and limits. `name`, for messages, and `given`
 * must outlive the array. body_too_large, overloaded (at `at`, the '['): there is no room for the shape `given`.
 */
int json_array_begin(struct json_array *a, const char *name, const struct json_shape *given,
    const struct json_values *values, uint64_t at, struct err *e) MUST_CHECK;

void json_array_fini(struct json_array *a);

/* Takes bytes up to and with the outermost ']'. Returns 1 when it has come, 0 when the input has ended, or -1. */
int json_array_feed(struct json_array *a, struct json_input *in, struct err *e) MUST_CHECK;
