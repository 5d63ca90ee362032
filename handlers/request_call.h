/* SPDX-License-Identifier: MIT */
/* Calls (layer/call.h) of the layer that a request names, and what they change. */
#pragma once

#include "handlers/request.h"
#include "layer/call.h"

/* A call of the layer in the state `s`, which it refers to, with the request's workspace. */
struct call request_call(struct request *rq, const struct snapshot *s);

/* Whether the layer is frozen and has running statistics, by which train then normalizes without an update. */
bool request_is_frozen(const struct request *rq);

/*
 * The call has nothing to share with other ranks: it waits for nobody, unless its step had begun before, so that all
 * ranks of a step get the same. If that has ended meanwhile, `joined` finds no result.
 */
void request_skip_sync(struct request *rq);

/*
 * Asks the store for `count` updates, in order, as one change; with 0, whether the request's key was used. They must
 * live as long as the request.
 */
void request_update(struct request *rq, const struct update *updates, size_t count);
