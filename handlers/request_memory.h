/* SPDX-License-Identifier: MIT */
/*
 * The memory that a request asks the budget for: before its body comes, before its change is stored, while it waits for
 * the other ranks of a step; and what it gives back before its answer is sent.
 */
#ifndef HANDLERS_REQUEST_MEMORY_H
#define HANDLERS_REQUEST_MEMORY_H

#include "handlers/request.h"

/* What a request without a body needs for a short answer. It is paid with its connection (server/crowd.c). */
#define REQUEST_CREDIT_BYTES ((size_t)2 * 1024)

/*
 * Asks for the memory that every request on this route needs. Bodies, answers, and whatever else is large ask for their
 * own later. `target_len`: the length of the request's target, which is kept twice. Error: overloaded.
 */
int request_admit(struct request *rq, size_t target_len, struct err *e) MUST_CHECK;

/*
 * Asks for what the answer needs once the change is stored: counts, and what closes the object. -1 with rq->err, also
 * where the reply made so far has failed.
 */
int request_reserve_answer(struct request *rq) MUST_CHECK;

/*
 * Asks for the layer's next snapshot, which a write makes whatever the request brings: it stands beside the present
 * one, which the cache may have dropped meanwhile. -1 with rq->err.
 */
int request_reserve_snapshot(struct request *rq) MUST_CHECK;

/* Asks for the snapshot that a request keeps while it waits for the other ranks. -1 with rq->err. */
int request_reserve_waiting(struct request *rq) MUST_CHECK;

/* Says in rq->err why the reply has failed: too large, or no memory. Gives -1. */
int request_refuse_reply(struct request *rq) MUST_CHECK;

/* Gives back what the answer, which the client may take long to read, does not need. */
void request_let_go(struct request *rq);

#endif
