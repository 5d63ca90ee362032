/* SPDX-License-Identifier: MIT */
/* Shards (layer/call.h) as the ranks of a synchronized step exchange them (sync/sync.h). */
#ifndef HANDLERS_REQUEST_SHARD_H
#define HANDLERS_REQUEST_SHARD_H

#include "handlers/request.h"
#include "layer/call.h"

/* Hands the call's shard to the step, in rq->member. */
void request_shard(struct request *rq, const struct call *c, const struct shard *own);

/* The whole batch, once the step has come together. */
struct shard request_shard_whole(const struct request *rq);

#endif
