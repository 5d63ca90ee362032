/* SPDX-License-Identifier: MIT */
/*
 * Numbers of a list whose datatype is not known yet, because it may be named after the data, or follows from a layer
 * that is looked up later. They are kept as doubles. Rounding a double again gives what the text itself rounds to, but
 * for a text that lies so close to a midpoint between two floats (or float16) that its double is that midpoint: these
 * are listed here, with what they are in each datatype. So is the first number that overflows a datatype. Private to
 * codec/.
 */
#ifndef CODEC_JSON_DOUBTS_H
#define CODEC_JSON_DOUBTS_H

#include "codec/decimal.h"
#include "codec/excerpt.h"
#include "codec/json_values.h"

/* A value whose double does not tell what it is in the narrower datatypes. */
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
 * Reads any number into `out`, the place of the value that comes next in `v`; `index` is its index. Arguments and
 * results as those of decimal_long_read. What is to be known of it is added to v->doubts, which is allocated when
 * there is something.
 */
enum decimal_result json_doubts_read(struct json_values *v, size_t index, const char *floor, const char *p,
    const char *limit, const char **end, double *out) MUST_CHECK;

/*
 * Notes the first number that overflows each datatype: after values from index `from` on were added to `v`, which are
 * the numbers of `text`, with brackets, commas and white space between them; it begins at offset `at`. Returns -1 with
 * `e`: overloaded.
 */
int json_doubts_note(struct json_values *v, size_t from, const char *text, uint64_t at, struct err *e) MUST_CHECK;

/* The first number that does not fit `datatype`, or NULL. `d` may be NULL. */
const struct json_unfit *json_doubts_unfit(const struct json_doubts *d, enum datatype datatype);

/* Turns the doubles in place into values of `datatype`, which all of them fit, and frees what is left over. */
void json_doubts_settle(struct json_values *v, enum datatype datatype);

/* NULL is fine. */
void json_doubts_free(struct json_doubts *d);

#endif
