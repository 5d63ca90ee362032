/* SPDX-License-Identifier: MIT */
/*
 * Backward with a shard of a synchronized step (backward_sync.c): its moments, and its sums about its own mean, for
 * rq->member; then its gradients by the sums of the whole batch.
 */
#ifndef HANDLERS_BACKWARD_H
#define HANDLERS_BACKWARD_H

#include "handlers/request.h"
#include "layer/gradients.h"

int backward_shard(struct request *rq, struct backward *w, struct err *e) MUST_CHECK;
int backward_shard_output(struct request *rq, struct backward *w, struct err *e) MUST_CHECK;

#endif
