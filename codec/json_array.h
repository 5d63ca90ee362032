/* SPDX-License-Identifier: MIT */
/* A tensor's list of numbers, fed in any pieces: brackets and values. Private to codec/. */
#ifndef CODEC_JSON_ARRAY_H
#define CODEC_JSON_ARRAY_H

#include "base/buf.h"
#include "codec/json_input.h"
#include "codec/json_nesting.h"
#include "codec/json_number.h"
#include "codec/json_values.h"

struct json_array {
	struct json_nesting nesting;
	struct json_values values;
	enum {
		JSON_ARRAY_OPENED,  /* after '[': an element or ']' */
		JSON_ARRAY_ELEMENT, /* after ',': an element */
		JSON_ARRAY_COMMA,   /* after an element: ',' or ']' */
		JSON_ARRAY_NUMBER,  /* within a number that began in an earlier piece of the input */
		JSON_ARRAY_WORD     /* within true or false */
	} state;
	struct buf partial; /* that number so far */
	enum json_number number;
	uint64_t number_at;
	const char *word; /* what is to come of true or false */
	bool word_value;
};

/*
 * Begins before the outermost '['. `values`: empty, with its datatype and limits. `name` is for messages; it and
 * `given` must outlive the array. Looks whether what `given` says can be had (`at`: the '[', for the error:
 * body_too_large, overloaded).
 */
int json_array_begin(struct json_array *a, const char *name, const struct json_shape *given,
    const struct json_values *values, uint64_t at, struct err *e) MUST_CHECK;

/* A zeroed array is fine. */
void json_array_fini(struct json_array *a);

/* Takes bytes up to the outermost ']', and that too. Returns 1 when it has come, 0 when the input has ended, or -1. */
int json_array_feed(struct json_array *a, struct json_input *in, struct err *e) MUST_CHECK;

#endif
