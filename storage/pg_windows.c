/* SPDX-License-Identifier: MIT */
#include "storage/pg_windows.h"

#include <stdlib.h>

#include "storage/pg_backend.h"

enum { SWITCH, SWITCH_TIME, SINCE, COUNT, MEAN, VAR };

/* A row whose lists do not fit counts as empty. */
static int
take_row(const PGresult *r, struct window_row *out, struct err *e)
{
	const int64_t count = pg_get_int(r, 0, COUNT);
	size_t vars;

	out->switch_id = pg_get_int(r, 0, SWITCH);
	out->since_s = pg_get_int(r, 0, PQgetisnull(r, 0, SINCE) ? SWITCH_TIME : SINCE);
	if (count <= 0)
		return 0;
	if (pg_get_doubles(r, 0, MEAN, &out->mean, &out->features, e) < 0 ||
	    pg_get_doubles(r, 0, VAR, &out->var, &vars, e) < 0) {
		free(out->mean);
		out->mean = NULL;
		return -1;
	}
	if (out->mean != NULL && out->var != NULL && vars == out->features)
		out->count = (uint64_t)count;
	return 0;
}

/* A row from before the model's latest switch is as if it were not there. */
int
pg_load_window(
    struct backend *b, const struct layer_identity *layer, struct window_row *out, bool *found, struct err *e)
{
	static const char sql[] =
	    "SELECT m.switch, v.time_s, w.since_s, w.count, w.mean, w.var FROM normd_layer l"
	    " JOIN normd_model m ON m.name = $1"
	    " LEFT JOIN normd_serving v ON v.model = $1 AND v.id = m.switch"
	    " LEFT JOIN normd_window w ON w.model = $1 AND w.layer_id = l.id AND w.switch = m.switch"
	    " WHERE l.model = $1 AND l.name = $3 AND l.id = $2";
	struct pg_params p = { 0 };
	PGresult *r;
	int result;

	*out = (struct window_row){ 0 };
	pg_text(&p, layer->model);
	pg_int(&p, layer->id);
	pg_text(&p, layer->name);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	result = *found ? take_row(r, out, e) : 0;
	PQclear(r);
	return result;
}

int
pg_save_window(struct backend *b, const struct layer_identity *layer, const struct window_row *row,
    const struct moments *moments, size_t features, struct err *e)
{
	static const char sql[] =
	    "INSERT INTO normd_window(model, layer_id, switch, since_s, count, mean, var) VALUES($1, $2, $3, $4, $5, "
	    "$6, $7)"
	    " ON CONFLICT (model, layer_id) DO UPDATE SET switch = excluded.switch, since_s = excluded.since_s,"
	    " count = excluded.count, mean = excluded.mean, var = excluded.var";
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, layer->model);
	pg_int(&p, layer->id);
	pg_int(&p, row->switch_id);
	pg_int(&p, row->since_s);
	pg_int(&p, (int64_t)moments->count);
	pg_doubles(&p, &pg_self(b)->scratch, moments->mean, features);
	pg_doubles(&p, &pg_self(b)->scratch, moments->var, features);
	pg_send(b, sql, &p);
	return 0;
}
