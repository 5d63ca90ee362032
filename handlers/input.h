/* SPDX-License-Identifier: MIT */
/* What a request brings: its query parameters, the members of its body, its tensors. */
#ifndef HANDLERS_INPUT_H
#define HANDLERS_INPUT_H

#include "handlers/request.h"

/* The query parameter's value, or NULL. */
const char *request_query(const struct request *rq, const char *name);

/*
 * "true", "1", "false" or "0", in any case of letters (Python writes True); -1 when the `len` bytes are none of them.
 */
int request_parse_bool(const char *text, size_t len, bool *out) MUST_CHECK;

/* The query parameter as true or false, where "" is true; `fallback` when it is not there. */
int request_query_bool(const struct request *rq, const char *name, bool fallback, bool *out, struct err *e) MUST_CHECK;

/* A whole number from 0 to 2^64 - 1 in decimal digits alone; -1 when the text is none. */
int request_parse_uint(const char *text, uint64_t *out) MUST_CHECK;

/*
 * The body's root where it is an object with no members but `allowed` (NULL-terminated); else bad_parameter. A body
 * that is a tensor alone has no members: then *out is NULL.
 */
int request_object(
    const struct request *rq, const char *const *allowed, const struct cJSON **out, struct err *e) MUST_CHECK;

/*
 * Gives the body's JSON tensors that name no datatype the definition's. Where the route needs the layer it was called
 * before `start`; another route that has tensors calls it once it knows the definition.
 */
int request_settle(struct request *rq, const struct definition *d, struct err *e) MUST_CHECK;

/* The tensor in a slot, or bad_tensor saying that `name` is missing. */
int
request_tensor(const struct request *rq, size_t slot, const char *name, struct tensor **out, struct err *e) MUST_CHECK;

/* Whether a tensor of this datatype can be answered in the form that the client takes; else not_acceptable. */
int request_check_answer(const struct request *rq, const struct tensor *t, struct err *e) MUST_CHECK;

#endif
