/* SPDX-License-Identifier: MIT */
/* Idempotency-Key: a change is made once, however often it is asked for. */
#ifndef HANDLERS_IDEMPOTENCY_H
#define HANDLERS_IDEMPOTENCY_H

#include "handlers/request.h"

#define IDEMPOTENCY_HEADER "Idempotency-Key"

/* The most characters of a key. */
#define IDEMPOTENCY_KEY_MAX 255

/*
 * Takes the header's value (a quoted string, or the same without quotes; NULL: there is none) for a request whose route
 * takes a key, and claims it. bad_parameter, or idempotency_in_flight while another request holds it.
 */
int idempotency_begin(struct request *rq, const char *header, struct err *e) MUST_CHECK;

/* Makes the query parameters that decide what is stored part of what the key is used for, after the body. */
void idempotency_add_query(struct request *rq);

/* Names the key, and what it was used for, in the operation. */
void idempotency_guard(struct request *rq);

#endif
