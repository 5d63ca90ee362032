/* SPDX-License-Identifier: MIT */
/* Calls (layer/call.h) of the layer that a request names, and what they change. */
#pragma once

#include "base/metrics.h"
#include "handlers/request.h"
#include "layer/call.h"

/* A call of the layer in the state `s`, which it refers to, with the request's workspace. */
struct call request_call(struct request *rq, const struct snapshot *s);

/* Counts the values of a call that has been computed. */
void request_count_values(enum metric_operation operation, const struct call *c);

/* Whether the layer is frozen and has running statistics, by which train then normalizes without an update. */
bool request_is_frozen(const struct request *rq);

/*
 * For a call that has nothing to share with other ranks: drops rq->sync_call, so that the request waits for nobody,
 * unless the step had begun before. Then all ranks of the step get the same answer; if it ends before this rank has
 * joined, rq->member.result is NULL in `joined`.
 */
void request_sync_if_begun(struct request *rq);

/*
 * Before a write with a call's updates is submitted: where the call's output is by the state that they lead to, the
 * store's thread shows it that state, and has the call for that time.
 */
void request_ask_state(struct store_write *write, struct call *c);

/*
 * Asks the store for `count` updates, in order, as one change; with 0, whether the request's key was used. They must
 * live as long as the request.
 */
void request_update(struct request *rq, const struct update *updates, size_t count);
