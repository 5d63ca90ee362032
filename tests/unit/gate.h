/* SPDX-License-Identifier: MIT */
/*
 * Holds the store's thread in an operation's callback until it is let go, so that what is submitted meanwhile waits
 * behind it.
 */
#pragma once

#include <semaphore.h>

#include "storage/store.h"

struct gate {
	sem_t reached, open;
};

static void
gate_stop(struct store_op *op)
{
	struct gate *gate = op->done_arg;

	sem_post(&gate->reached);
	sem_wait(&gate->open);
}

/*
 * An operation that stops at the gate: the thread is held once it is submitted and `reached` was waited for, until
 * `open` is posted.
 */
static struct store_op
gate_init(struct gate *gate)
{
	sem_init(&gate->reached, 0, 0);
	sem_init(&gate->open, 0, 0);
	return (struct store_op){ .kind = STORE_LAYER_GET,
		.get = { .model = "gate", .layer = "gate" },
		.done = gate_stop,
		.done_arg = gate };
}

/* After the store's thread has been let go and has told of something later. */
static void
gate_fini(struct gate *gate)
{
	sem_destroy(&gate->reached);
	sem_destroy(&gate->open);
}
