/* SPDX-License-Identifier: MIT */
#include "storage/pg_history.h"

#include <math.h>
#include <stdlib.h>

#include "storage/pg_backend.h"

#define COLUMNS \
	"number, time_s, revision, num_batches_tracked, mean_min, mean_median, mean_max, var_min, var_median, " \
	"var_max, drift"
#define OF_LAYER " FROM normd_history WHERE model = $1 AND layer_id = $2"
enum { NUMBER, TIME, REVISION, BATCHES, MEAN, VAR = MEAN + 3, DRIFT = VAR + 3 };

static void
of_layer(struct pg_params *p, const struct layer_identity *layer)
{
	pg_text(p, layer->model);
	pg_int(p, layer->id);
}

int
pg_last_moment(struct backend *b, const struct layer_identity *layer, struct store_moment *out, struct err *e)
{
	struct pg_params p = { 0 };
	PGresult *r;

	of_layer(&p, layer);
	if (pg_ask(b, "SELECT number, time_s, revision" OF_LAYER " ORDER BY number DESC LIMIT 1", &p, &r, e) < 0)
		return -1;
	if (PQntuples(r) > 0) {
		out->number = (uint64_t)pg_get_int(r, 0, NUMBER);
		out->time_s = pg_get_int(r, 0, TIME);
		out->revision = (uint64_t)pg_get_int(r, 0, REVISION);
	}
	PQclear(r);
	return 0;
}

static void
put_spread(struct pg_params *p, const struct spread *s)
{
	pg_double(p, s->min);
	pg_double(p, s->median);
	pg_double(p, s->max);
}

static void
thin(struct backend *b, const struct layer_identity *layer, uint64_t number)
{
	struct pg_params p = { 0 };

	of_layer(&p, layer);
	pg_int(&p, (int64_t)number);
	pg_send(b, "DELETE" OF_LAYER " AND number = $3", &p);
}

int
pg_add_moment(struct backend *b, const struct layer_identity *layer, const struct store_moment *moment,
    uint64_t thinned, struct err *e)
{
	static const char sql[] = "INSERT INTO normd_history(model, layer_id, " COLUMNS
				  ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
	struct pg_params p = { 0 };

	of_layer(&p, layer);
	(void)e;
	pg_int(&p, (int64_t)moment->number);
	pg_int(&p, moment->time_s);
	pg_int(&p, (int64_t)moment->revision);
	pg_int(&p, (int64_t)moment->num_batches_tracked);
	put_spread(&p, &moment->mean);
	put_spread(&p, &moment->var);
	pg_known_double(&p, moment->drift);
	pg_send(b, sql, &p);
	if (thinned != 0)
		thin(b, layer, thinned);
	return 0;
}

/* Deletes up to `limit` rows of a layer, and at the end the layer's row among those that are gone. */
static int
purge_layer(struct backend *b, const char *model, int64_t layer_id, size_t limit, size_t *purged, struct err *e)
{
	static const char moments[] =
	    "DELETE" OF_LAYER " AND number IN (SELECT number" OF_LAYER " ORDER BY number LIMIT $3)";
	struct pg_params p = { 0 };

	pg_text(&p, model);
	pg_int(&p, layer_id);
	pg_int(&p, (int64_t)limit);
	if (pg_change(b, moments, &p, purged, e) < 0)
		return -1;
	if (*purged == limit)
		return 0;
	++*purged;
	p.count = 2;
	pg_send(b, "DELETE FROM normd_history_gone WHERE model = $1 AND layer_id = $2", &p);
	return 0;
}

/* The first layer that is gone. *layer_id stays 0 where there is none. */
static int
first_gone(struct backend *b, char model[STORE_NAME_MAX + 1], int64_t *layer_id, struct err *e)
{
	PGresult *r;

	*layer_id = 0;
	if (pg_ask(b, "SELECT model, layer_id FROM normd_history_gone ORDER BY model, layer_id LIMIT 1", NULL, &r, e) <
	    0)
		return -1;
	if (PQntuples(r) > 0) {
		pg_get_text(r, 0, 0, model, STORE_NAME_MAX + 1);
		*layer_id = pg_get_int(r, 0, 1);
	}
	PQclear(r);
	return 0;
}

int
pg_purge_history(struct backend *b, size_t limit, size_t *purged, struct err *e)
{
	char model[STORE_NAME_MAX + 1];
	int64_t layer_id;
	bool leads;
	size_t rows;

	*purged = 0;
	if (pg_lead(b, &leads, e) < 0)
		return -1;
	for (; leads && *purged < limit; *purged += rows) {
		if (first_gone(b, model, &layer_id, e) < 0)
			return -1;
		if (layer_id == 0)
			return 0;
		if (purge_layer(b, model, layer_id, limit - *purged, &rows, e) < 0)
			return -1;
	}
	return 0;
}

static struct spread
get_spread(const PGresult *r, int row, int column)
{
	return (struct spread){ .min = pg_get_double(r, row, column),
		.median = pg_get_double(r, row, column + 1),
		.max = pg_get_double(r, row, column + 2) };
}

static int
read_moment(const PGresult *r, int row, void *out, struct err *e)
{
	struct store_moment *m = out;

	(void)e;
	m->number = (uint64_t)pg_get_int(r, row, NUMBER);
	m->time_s = pg_get_int(r, row, TIME);
	m->revision = (uint64_t)pg_get_int(r, row, REVISION);
	m->num_batches_tracked = (uint64_t)pg_get_int(r, row, BATCHES);
	m->mean = get_spread(r, row, MEAN);
	m->var = get_spread(r, row, VAR);
	m->drift = PQgetisnull(r, row, DRIFT) ? NAN : pg_get_double(r, row, DRIFT);
	return 0;
}

int
pg_list_moments(struct backend *b, struct store_history *list, struct err *e)
{
	struct pg_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	struct pg_params p = { 0 };
	int result;

	of_layer(&p, list->snapshot->identity);
	if (budget_ask(list->memory, rows.limit * rows.entry_bytes, e) < 0)
		return -1;
	pg_int(&p, list->before != 0 ? (int64_t)list->before : INT64_MAX);
	pg_int(&p, (int64_t)list->limit + 1);
	result = pg_ask_list(
	    b, "SELECT " COLUMNS OF_LAYER " AND number < $3 ORDER BY number DESC LIMIT $4", &p, read_moment, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}
