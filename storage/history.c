/* SPDX-License-Identifier: MIT */
#include "storage/history.h"

#include <math.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "norm/divergence.h"

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
		.var = { 1, 1, 1 },
		.drift = NAN };
	if (s->mean == NULL || s->features == 0)
		return;
	out->mean = spread_measure(s->mean, s->features);
	out->var = spread_measure(s->var, s->features);
}

double
history_drift(const struct snapshot *state, const struct moments *window)
{
	const struct statistics *s = &state->statistics;

	if (window->count < HISTORY_DRIFT_COUNT || s->mean == NULL)
		return NAN;
	return divergence_max(window, &(struct moments){ 1, s->mean, s->var }, s->features);
}

/* By the window as it is stored: what came since then is in the next row. */
static int
stored_drift(const struct batch *b, const struct snapshot *state, double *drift, struct err *e)
{
	struct window_row row;
	struct moments window;
	bool found;

	*drift = NAN;
	if (b->backend->ops->load_window(b->backend, state->identity, &row, &found, e) < 0)
		return -1;
	window = (struct moments){ row.count, row.mean, row.var };
	if (row.features == state->statistics.features)
		*drift = history_drift(state, &window);
	free(row.mean);
	free(row.var);
	return 0;
}

/* By the thresholds that GET drift has by default. */
static enum metric_verdict
verdict_of(double drift)
{
	return isnan(drift) ? METRIC_VERDICT_UNKNOWN :
	    drift >= 0.25   ? METRIC_VERDICT_DRIFT :
	    drift >= 0.1    ? METRIC_VERDICT_POSSIBLE :
			      METRIC_VERDICT_NONE;
}

static int
add(const struct batch *b, const struct layer_identity *layer, struct store_moment *m, struct store_moment *last,
    struct err *e)
{
	metrics_add(METRIC_DRIFT_VERDICTS, verdict_of(m->drift), 1);
	m->number = last->number + 1;
	*last = *m;
	return b->backend->ops->add_moment(b->backend, layer, m, history_thinned(m->number), e);
}

/*
 * The row of a committed state that is of an earlier interval than now, unless it has one. `last`: the layer's latest
 * row (number 0: none), also afterwards.
 */
static int
record(const struct batch *b, const struct snapshot *past, double drift, struct store_moment *last, struct err *e)
{
	const int64_t id = past->identity->id;
	const uint64_t interval = history_interval(id, past->changed_s, b->history_interval_s);
	struct store_moment m;

	/* A history begins with statistics. Where they were reset later, the plot shows it. */
	if (last->number == 0 && past->statistics.mean == NULL)
		return 0;
	if (last->number != 0 &&
	    (last->revision == past->revision || history_interval(id, last->time_s, b->history_interval_s) == interval))
		return 0;
	store_moment_of(past, &m);
	m.drift = drift;
	return add(b, past->identity, &m, last, e);
}

/* Whether it came to be so in an earlier interval. */
static bool
is_past(const struct batch *b, const struct snapshot *state)
{
	const int64_t id = state->identity->id;

	return state->changed_s > 0 &&
	    history_interval(id, state->changed_s, b->history_interval_s) <
	    history_interval(id, b->now_s, b->history_interval_s);
}

int
history_record(const struct batch *b, const struct snapshot *past, struct err *e)
{
	struct store_moment last = { 0 };
	double drift;

	if (!is_past(b, past))
		return 0;
	if (b->backend->ops->last_moment(b->backend, past->identity, &last, e) < 0 ||
	    stored_drift(b, past, &drift, e) < 0)
		return -1;
	return record(b, past, drift, &last, e);
}

/* The live state of a layer, if it can be read; *state NULL if not. -1: the read has ended the transaction. */
static int
live_state(struct batch *b, const struct layer_identity *identity, const struct snapshot **state, struct err *e)
{
	const struct working *w = batch_layer(b, identity->model, identity->name, e);

	*state = w != NULL && w->exists && w->base->identity->id == identity->id ? w->base : NULL;
	return w != NULL || b->backend->ops->in_transaction(b->backend) ? 0 : -1;
}

int
history_record_window(struct batch *b, const struct layer_identity *identity, const struct moments *window,
    size_t features, struct err *e)
{
	const unsigned interval_s = b->history_interval_s;
	struct store_moment m, last = { 0 };
	const struct snapshot *state;

	if (window->count < HISTORY_DRIFT_COUNT)
		return 0;
	if (b->backend->ops->last_moment(b->backend, identity, &last, e) < 0)
		return -1;
	if (last.number != 0 &&
	    history_interval(identity->id, last.time_s, interval_s) >=
		history_interval(identity->id, b->now_s, interval_s))
		return 0;
	if (live_state(b, identity, &state, e) < 0)
		return -1;
	if (state == NULL || state->statistics.mean == NULL || state->statistics.features != features ||
	    !is_past(b, state))
		return 0;
	if (record(b, state, NAN, &last, e) < 0)
		return -1;
	store_moment_of(state, &m);
	m.time_s = b->now_s;
	m.drift = history_drift(state, window);
	return add(b, identity, &m, &last, e);
}
