/* SPDX-License-Identifier: MIT */
#include "handlers/request_call.h"

#include "handlers/idempotency.h"

void
request_call(struct request *rq, struct call *c)
{
	c->name = rq->layer;
	c->definition = rq->definition;
	c->statistics = rq->state->statistics;
	c->parameters = (struct scale_shift){ rq->state->weight.values, rq->state->bias.values };
	c->workspace = &rq->workspace;
}

void
request_update(struct request *rq, const struct update *updates, size_t count)
{
	rq->write.updates.list = updates;
	rq->write.updates.count = count;
	request_write(rq, STORE_UPDATE);
	idempotency_guard(rq);
}
