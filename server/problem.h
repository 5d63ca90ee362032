/* SPDX-License-Identifier: MIT */
/* Errors as application/problem+json (RFC 9457): the one place where an error becomes an answer. */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the problem document. */
void problem_format(struct buf *b, const struct err *e, const char *request_id);

#endif
