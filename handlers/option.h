/* SPDX-License-Identifier: MIT */
/*
 * The values of inputs that are not tensors, read in one way wherever they are given: in the query or in the body. A
 * value of the wrong type, one out of range, and one that is given in both places are bad_parameter.
 */
#pragma once

#include "handlers/input.h"

/* Where a value was found. */
struct option {
	const char *text; /* in the query: `len` bytes; else NULL and 0 */
	size_t len;
	const struct cJSON *member; /* in the body; else NULL. A null counts as absent */
};

static inline bool
option_given(const struct option *o)
{
	return o->text != NULL || o->member != NULL;
}

/* Finds an input of the request. It is refused where it is given twice, unless `in->both`. */
int option_find(const struct request *rq, const struct input *in, struct option *out, struct err *e) MUST_CHECK;

/*
 * Reads a bool (0 or 1), a whole number, the bits of any other number, or the place of a choice in its list. *value
 * stays as it is where the option is not given; that is an error where `in->needed`.
 */
int option_read(const struct input *in, const struct option *o, uint64_t *value, struct err *e) MUST_CHECK;

/* Both in one call, for an input of the request, a bool, any number, and a member of an object. */
int option_get(const struct request *rq, const struct input *in, uint64_t *value, struct err *e) MUST_CHECK;
int option_get_bool(const struct request *rq, const struct input *in, bool *value, struct err *e) MUST_CHECK;
int option_get_number(const struct request *rq, const struct input *in, double *value, struct err *e) MUST_CHECK;
int option_get_member(const struct cJSON *object, const struct input *in, uint64_t *value, struct err *e) MUST_CHECK;

/* Gets each value of a list with its place, from 0. A failure ends the list. */
typedef int option_take(void *arg, size_t at, uint64_t value, struct err *e);

/* Reads a list of true and false where `in` is a mask, else of numbers. *count is how many values there were. */
int option_read_list(const struct input *in, const struct option *o, option_take *take, void *arg, size_t *count,
    struct err *e) MUST_CHECK;

typedef int option_read_json(void *arg, const struct cJSON *value, struct err *e);

/* Calls `read` with the object that was given; a text in the query is parsed for that time. */
int option_read_object(
    const struct input *in, const struct option *o, option_read_json *read, void *arg, struct err *e) MUST_CHECK;

/* The same for any JSON text; also bad_json, whose offset is in that text. */
int option_parse(const char *text, option_read_json *read, void *arg, struct err *e) MUST_CHECK;

/* Says that the option must be `wanted`, and what it is or that it is missing: bad_parameter. Returns -1. */
int option_refuse(const struct input *in, const struct option *o, const char *wanted, struct err *e);

/* The same of the value at a place of a list. */
int
option_refuse_value(const struct input *in, size_t at, const struct option *value, const char *wanted, struct err *e);
