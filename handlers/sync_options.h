/* SPDX-License-Identifier: MIT */
/* `sync` in a body or the query: {"step": "1042", "rank": 0, "world_size": 4, "timeout_ms": 10000}. */
#ifndef HANDLERS_SYNC_OPTIONS_H
#define HANDLERS_SYNC_OPTIONS_H

#include "handlers/option.h"

extern const struct input sync_input;

/*
 * Reads it into the request's memory, where there is one: rq->sync_call is then what it says. bad_parameter for what is
 * out of range, for a layer that cannot be synchronized (batch_norm can, whole batches of it), and beside an
 * Idempotency-Key.
 */
int sync_options_get(struct request *rq, struct err *e) MUST_CHECK;

#endif
