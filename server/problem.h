/* SPDX-License-Identifier: MIT */
/* Errors as application/problem+json (RFC 9457): the one place where an error becomes an answer. Any thread. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* An error, and the request that it answers. */
struct problem {
	const struct err *e;
	const char *request_id; /* "": it has none */
	const char *target;     /* NULL: it is not known */
};

/* A target of the Open Inference Protocol, for a problem that answers whatever was asked. */
#define PROBLEM_OIP_TARGET "/v2"

/*
 * Appends the problem document. Where the target's path begins with /v2, it has the detail twice: also as `error`,
 * which the clients of the Open Inference Protocol read. For no_such_model Triton's words stand before it.
 */
void problem_format(struct buf *b, const struct problem *p);

/* Hands each header of the problem's answer to `add`, whoever writes the answer. False as soon as `add` is. */
typedef bool problem_add(void *arg, const char *name, const char *value);
bool problem_headers(const struct problem *p, problem_add *add, void *arg);
