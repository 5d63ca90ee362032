/* SPDX-License-Identifier: MIT */
/* Errors as application/problem+json (RFC 9457): the one place where an error becomes an answer. Any thread. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends the problem document. */
void problem_format(struct buf *b, const struct err *e, const char *request_id);

/*
 * Hands each header of the problem's answer to `add`, whoever writes the answer; `request_id` may be "". False as soon
 * as `add` returns false.
 */
typedef bool problem_add(void *arg, const char *name, const char *value);
bool problem_headers(const struct err *e, const char *request_id, problem_add *add, void *arg);
