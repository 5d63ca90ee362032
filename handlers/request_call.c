/* SPDX-License-Identifier: MIT */
#include "handlers/request_call.h"

#include "handlers/idempotency.h"

struct call
request_call(struct request *rq, const struct snapshot *s)
{
	return (struct call){ .name = s->identity->name,
		.frozen = s->frozen,
		.version = s->version,
		.definition = s->identity->parsed,
		.statistics = s->statistics,
		.parameters = { s->weight.values, s->bias.values },
		.workspace = &rq->workspace };
}

bool
request_is_frozen(const struct request *rq)
{
	return rq->state->frozen && rq->definition->track_running_stats;
}

void
request_sync_if_begun(struct request *rq)
{
	if (rq->sync_call != NULL && !sync_knows(rq->sync, rq->sync_call))
		rq->sync_call = NULL;
	if (rq->sync_call != NULL)
		rq->sync_call->known_only = true;
}

_Static_assert(
    (int)METRIC_KIND_COUNT == (int)KIND_COUNT, "the metrics' kinds are those of definitions, in their order");

void
request_count_values(enum metric_operation operation, const struct call *c)
{
	metrics_add(
	    METRIC_VALUES, metrics_series_kind(operation, (enum metric_kind)c->definition->kind), c->tensor->count);
}

void
request_update(struct request *rq, const struct update *updates, size_t count)
{
	rq->write.updates.list = updates;
	rq->write.updates.count = count;
	request_write(rq, STORE_UPDATE);
	idempotency_guard(rq);
}

/* On the store's thread. */
static int
accept_state(void *arg, const struct snapshot *after, struct err *e)
{
	return call_train_take_state(
	    arg, &after->statistics, (struct scale_shift){ after->weight.values, after->bias.values }, e);
}

void
request_ask_state(struct store_write *write, struct call *c)
{
	if (!c->needs_state)
		return;
	write->updates.accept = accept_state;
	write->updates.accept_arg = c;
}
