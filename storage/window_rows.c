/* SPDX-License-Identifier: MIT */
/*
 * A row counts what came while the model's latest switch was the one that the row names: after another switch it counts
 * as empty, so that a switch costs nothing for each layer. In memory there is only what came since the latest.
 */
#include "storage/window_rows.h"

#include <stdlib.h>
#include <string.h>

#include "storage/history.h"

static void
row_fini(struct window_row *row)
{
	free(row->mean);
	free(row->var);
}

/* The row's values; empty ones if there are none, or not of so many features. */
static struct statistics
row_statistics(const struct window_row *row, size_t features)
{
	if (row->count == 0 || row->features != features)
		return (struct statistics){ .features = features };
	return (struct statistics){ .features = features, .count = row->count, .mean = row->mean, .var = row->var };
}

/* What came is merged into the row. */
static int
save_merged(struct batch *b, const struct layer_identity *identity, struct window_row *row, struct window_part *part,
    struct err *e)
{
	const struct moments came = { part->now.count, part->now.mean, part->now.var };
	struct statistics s = row_statistics(row, part->now.features);
	struct moments merged;

	if (s.count == 0)
		s = part->now;
	else
		window_merge(&s, &came);
	merged = (struct moments){ s.count, s.mean, s.var };
	row->since_s = row->since_s != 0 ? row->since_s : part->since_s;
	if (b->backend->ops->save_window(b->backend, identity, row, &merged, s.features, e) < 0)
		return -1;
	return history_record_window(b, identity, &merged, s.features, e);
}

/* A row that cannot be read waits for another round: the batch has changes to commit. */
static int
save(struct batch *b, struct window_taken *taken, struct err *e)
{
	const struct layer_identity *identity = taken->window->identity;
	struct window_row row;
	struct err ignored;
	bool found;
	int result;

	if (taken->part == NULL)
		return 0;
	if (b->backend->ops->load_window(b->backend, identity, &row, &found, &ignored) < 0) {
		if (!b->backend->ops->in_transaction(b->backend)) {
			*e = ignored;
			return -1;
		}
		window_put_back(taken->window, taken->part);
		taken->part = NULL;
		return 0;
	}
	result = found ? save_merged(b, identity, &row, taken->part, e) : 0; /* else the layer was deleted */
	row_fini(&row);
	return result;
}

int
window_rows_save(struct batch *b, struct err *e)
{
	struct windows *w = b->windows;

	for (size_t i = 0; i < w->taken_count; i++)
		if (save(b, &w->taken[i], e) < 0)
			return -1;
	return 0;
}

int
window_rows_reset(struct batch *b, const struct working *w, struct err *e)
{
	const struct layer_identity *layer = w->base->identity;
	const struct moments none = { 0 };
	struct window_row row;
	bool found;
	int result;

	if (b->backend->ops->load_window(b->backend, layer, &row, &found, e) < 0)
		return -1;
	row.since_s = b->now_s;
	result = batch_wrote(b, b->backend->ops->save_window(b->backend, layer, &row, &none, 0, e));
	row_fini(&row);
	return result;
}

struct reading {
	struct statistics now;
	int64_t since_s;
};

static void
look(void *arg, struct window *window)
{
	struct reading *r = arg;

	window_look(window, &r->now, &r->since_s);
}

static void
take_row(struct reading *r, double *lists, const struct window_row *row, size_t features)
{
	const struct statistics s = row_statistics(row, features);

	*r = (struct reading){ .since_s = row->since_s };
	r->now = (struct statistics){ .features = features, .count = s.count, .mean = lists, .var = lists + features };
	if (s.count == 0)
		return;
	memcpy(r->now.mean, s.mean, features * sizeof(double));
	memcpy(r->now.var, s.var, features * sizeof(double));
}

/* Beside the lists: the row, as SQLite has it and as doubles. */
#define LISTS ((size_t)2)
#define ROW_LISTS ((size_t)4)

int
window_rows_read(const struct committed *c, const struct snapshot *state, struct budget_share *memory,
    struct window_values *out, struct err *e)
{
	const size_t features = state->statistics.features, bytes = features * sizeof(double);
	struct window_row row = { 0 };
	struct reading r;
	bool found;

	*out = (struct window_values){ 0 };
	if (budget_ask(memory, (LISTS + ROW_LISTS) * bytes, e) < 0)
		return -1;
	if (c->backend->ops->load_window(c->backend, state->identity, &row, &found, e) < 0)
		return -1;
	out->lists = calloc(LISTS * features + 1, sizeof(double));
	if (out->lists == NULL) {
		row_fini(&row);
		return err_fail_memory(e);
	}
	take_row(&r, out->lists, &row, features);
	row_fini(&row);
	budget_give(memory, ROW_LISTS * bytes);
	out->bytes = LISTS * bytes;
	windows_of_layer(c->windows, state->identity->id, look, &r);
	out->since_s = row.since_s != 0 ? row.since_s : r.since_s; /* also if the clock went back */
	if (r.now.count > 0)
		out->moments = (struct moments){ r.now.count, r.now.mean, r.now.var };
	return 0;
}
