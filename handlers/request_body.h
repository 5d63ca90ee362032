/* SPDX-License-Identifier: MIT */
/* A request's body as it arrives: it goes to the decoder of its form, piece by piece. */
#pragma once

#include "handlers/request.h"

/*
 * Feeds `len` bytes. *taken is how many were taken: at least one where there are any, and fewer than `len` when they
 * decompress to so much that the rest should wait. -1 with rq->err, and then the body is gone. A body that the route
 * does not take is bad_parameter.
 */
int request_body(struct request *rq, const char *bytes, size_t len, size_t *taken) MUST_CHECK;

/* The body has ended: checks its end, and that there is one where the route needs it. -1 with rq->err. */
int request_body_end(struct request *rq) MUST_CHECK;
