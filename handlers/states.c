/* SPDX-License-Identifier: MIT */
#include "handlers/states.h"

#include <assert.h>
#include <string.h>

#include "handlers/handlers.h"

/* To hash a value takes as long as writing a fifth of a number; a layer takes as long as ten. */
#define HASHED_VALUES ((size_t)5)
#define LAYER_VALUES ((size_t)10)

size_t
states_values(const struct request *rq)
{
	const struct store_states *page = &rq->op.states;
	size_t values = 0;

	if (rq->op.kind != STORE_STATES_GET)
		return 0;
	for (size_t i = 0; i < page->count; i++)
		values += LAYER_VALUES +
		    (2 * page->entries[i]->statistics.features + 2 * page->entries[i]->weight.count) / HASHED_VALUES;
	return values;
}

/* What is counted beside the answer. */
static size_t
counted_bytes(const struct request *rq)
{
	return rq->workspace.memory.bytes - rq->reply.text.size - rq->reply.tail.size;
}

void
states_ask(struct request *rq, struct states_reading *reading, size_t limit)
{
	request_store_done(rq);
	reading->counted = counted_bytes(rq);
	request_store(rq, STORE_STATES_GET);
	rq->op.states = (struct store_states){ .model = rq->model,
		.which = reading->which,
		.after = reading->after[0] != '\0' ? reading->after : NULL,
		.limit = limit,
		.may_be_empty = reading->may_be_empty,
		.memory = &rq->workspace.memory };
}

size_t
states_counted(const struct request *rq, const struct states_reading *reading)
{
	return counted_bytes(rq) - reading->counted;
}

void
states_keep(struct states_reading *reading, size_t bytes)
{
	reading->counted += bytes;
}

bool
states_end_page(struct request *rq, struct states_reading *reading)
{
	const struct store_states *page = &rq->op.states;
	const bool more = page->more;

	assert(!more || page->count > 0);
	if (more)
		memcpy(reading->after, page->entries[page->count - 1]->identity->name, sizeof(reading->after));
	request_store_done(rq);
	budget_give(&rq->workspace.memory, states_counted(rq, reading));
	return more;
}
