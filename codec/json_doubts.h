/* SPDX-License-Identifier: MIT */
/*
 * Numbers of a list whose datatype is not known yet: it may be named after the data, or be the layer's, which is looked
 * up later. They are kept as doubles. Rounding the double gives what the text itself rounds to, unless the text is so
 * close to a midpoint between two floats (or float16) that its double is that midpoint: those are listed here, with
 * their values in each datatype. So is the first number that overflows a datatype. Private to codec/.
 */
#pragma once

#include "codec/decimal.h"
#include "codec/excerpt.h"
#include "codec/json_values.h"

/* A value whose double does not tell its value in the narrower datatypes. */
struct json_corrected {
	size_t index;
	float fp32;
	uint16_t fp16;
};

/* The first number that does not fit a datatype, for the message. */
struct json_unfit {
	bool found;
	uint64_t at;
	char text[EXCERPT_BYTES];
};

struct json_doubts {
	struct json_corrected *corrected; /* in the order of their indices */
	size_t count;
	size_t capacity;
	struct json_unfit unfit[DATATYPE_COUNT];
};

/*
 * Reads any number into `out`, as decimal_long_read; it is the next value of `v` and has this index. If its double does
 * not tell all, it is added to v->doubts; DECIMAL_MEMORY: there is no memory for that.
 */
enum decimal_result json_doubts_read(struct json_values *v, size_t index, const char *floor, const char *p,
    const char *limit, const char **end, double *out) MUST_CHECK;

/*
 * Notes the first number that overflows each datatype. `v` has got the values from index `from` on: the numbers in
 * `text`, at offset `at`, with brackets, commas and white space between them. Error: overloaded.
 */
int json_doubts_note(struct json_values *v, size_t from, const char *text, uint64_t at, struct err *e) MUST_CHECK;

/* The first number that overflows `datatype`, or NULL. `d` may be NULL. */
const struct json_unfit *json_doubts_unfit(const struct json_doubts *d, enum datatype datatype);

/* Turns the doubles in place into values of `datatype`, which all of them fit, and frees what is left over. */
void json_doubts_settle(struct json_values *v, enum datatype datatype);

void json_doubts_free(struct json_doubts *d);
