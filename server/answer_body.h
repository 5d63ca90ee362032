/* SPDX-License-Identifier: MIT */
/* The bytes of an answer, as libmicrohttpd reads them. For answer.c alone. */
#pragma once

#include "server/answer.h"

/*
 * A response with the reply's bytes, by the best way that there is memory for; without headers. *coded: they are in the
 * coding of `wishes`. *empty: there are none. NULL: no memory.
 */
struct MHD_Response *answer_body_make(struct answer *a, const struct reply *reply, const struct answer_wishes *wishes,
    bool *coded, bool *empty) MUST_CHECK;

/* A response with the bytes of `b`, which is then empty. NULL: no memory, now or when `b` was written. */
struct MHD_Response *answer_body_take(struct buf *b) MUST_CHECK;
