/* SPDX-License-Identifier: MIT */
/* Idempotency-Key: a change is made once, however often the request is repeated. */
#pragma once

#include "handlers/request.h"

#define IDEMPOTENCY_HEADER "Idempotency-Key"

/* The longest key, in characters. */
#define IDEMPOTENCY_KEY_MAX 255

/*
 * Reads the key from the header's value, with or without quotes, and claims it. Does nothing if the header is absent
 * (NULL) or the route takes no key. Errors: bad_parameter; idempotency_in_flight while another request holds the key.
 */
int idempotency_begin(struct request *rq, const char *header, struct err *e) MUST_CHECK;

/* Adds the query parameters that are `stored` to the request's fingerprint. Call it once, after the body. */
void idempotency_add_query(struct request *rq);

/* Puts the key and the request's fingerprint into the operation. */
void idempotency_guard(struct request *rq);
