/* SPDX-License-Identifier: MIT */
/* The option `sync`: {"step": "1042", "rank": 0, "world_size": 4, "timeout_ms": 10000}. */
#ifndef HANDLERS_SYNC_OPTIONS_H
#define HANDLERS_SYNC_OPTIONS_H

#include "handlers/option.h"

extern const struct input sync_input;

/*
 * Reads it into rq->sync_call, in the request's memory; without the option that stays NULL. bad_parameter also for a
 * layer that cannot be synchronized (batch_norm without ghost batches can), and beside an Idempotency-Key.
 */
int sync_options_get(struct request *rq, struct err *e) MUST_CHECK;

#endif
