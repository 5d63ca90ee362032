/* SPDX-License-Identifier: MIT */
/* Calls (layer/call.h) of the layer that a request names, and what they change. */
#pragma once

#include "handlers/request.h"
#include "layer/call.h"

/* A call of the layer in the state `s`, which it refers to, with the request's workspace. */
struct call request_call(struct request *rq, const struct snapshot *s);

/* Asks the store for `count` updates, in order, as one change. They must live as long as the request. */
void request_update(struct request *rq, const struct update *updates, size_t count);
