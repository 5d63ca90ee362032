/* SPDX-License-Identifier: MIT */
/*
 * The memory that a request asks the budget for: before its body, before its change is stored, and while it waits for
 * the other ranks of a step. What it no longer needs is given back before the answer is sent.
 */
#pragma once

#include "handlers/request.h"

/* The memory of a request without a body and with a short answer, counted with its connection (server/crowd.c). */
#define REQUEST_CREDIT_BYTES ((size_t)2 * 1024)

/*
 * Asks for the memory that every request on this route needs. The body, the answer and everything large ask later.
 * `target_len`: the length of the request's target, which is kept twice. Error: overloaded.
 */
int request_admit(struct request *rq, size_t target_len, struct err *e) MUST_CHECK;

/*
 * Asks for what is needed once the store is at work: the end of the answer, and the layer's next snapshot, which every
 * write makes beside the present one. -1 with rq->err, also if the reply has failed already.
 */
int request_reserve_change(struct request *rq) MUST_CHECK;

/* Sets rq->err to the reason why the reply has failed: too large, or no memory. Returns -1. */
int request_refuse_reply(struct request *rq) MUST_CHECK;

/* Gives back what the answer does not need, because the client may read the answer slowly. */
void request_let_go(struct request *rq);
