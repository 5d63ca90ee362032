/* SPDX-License-Identifier: MIT */
#include "storage/history.h"

/* 2^32 divided by the golden ratio. Its multiples, modulo 2^32, are spread evenly, however many there are. */
#define GOLDEN UINT64_C(2654435769)

/* Unsigned, so that no second of a damaged file overflows. */
uint64_t
history_interval(int64_t layer_id, int64_t second, unsigned interval_s)
{
	const uint64_t turn = (uint64_t)layer_id * GOLDEN & UINT32_MAX;

	return ((uint64_t)second + (turn * interval_s >> 32)) / interval_s;
}

uint64_t
history_thinned(uint64_t number)
{
	const uint64_t age = HISTORY_WHOLE * (number & -number);

	return number > age ? number - age : 0;
}

void
store_moment_of(const struct snapshot *state, struct store_moment *out)
{
	const struct statistics *s = &state->statistics;

	*out = (struct store_moment){ .time_s = state->changed_s,
		.revision = state->revision,
		.num_batches_tracked = s->num_batches_tracked,
		.var = { 1, 1, 1 } };
	if (s->mean == NULL || s->features == 0)
		return;
	out->mean = spread_measure(s->mean, s->features);
	out->var = spread_measure(s->var, s->features);
}

int
history_record(const struct batch *b, const struct snapshot *past, struct err *e)
{
	const int64_t id = past->identity->id;
	const uint64_t interval = history_interval(id, past->changed_s, b->history_interval_s);
	struct store_moment m, last = { 0 };

	if (past->changed_s <= 0 || interval >= history_interval(id, b->now_s, b->history_interval_s))
		return 0;
	if (b->backend->ops->last_moment(b->backend, id, &last, e) < 0)
		return -1;
	/* A history begins with statistics. Where they were reset later, the plot shows it. */
	if (last.number == 0 && past->statistics.mean == NULL)
		return 0;
	if (last.number != 0 && history_interval(id, last.time_s, b->history_interval_s) == interval)
		return 0;
	store_moment_of(past, &m);
	m.number = last.number + 1;
	return b->backend->ops->add_moment(b->backend, id, &m, history_thinned(m.number), e);
}
