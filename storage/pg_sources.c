/* SPDX-License-Identifier: MIT */
#include "storage/pg_sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "storage/pg_backend.h"
#include "storage/source_page.h"

static const char damage[] = "the stored totals of a source are damaged";

#define COLUMNS "SELECT name, time_s, count, mean, var FROM normd_source WHERE model = $1 AND layer_id = $2"
enum { NAME, TIME, COUNT, MEAN, VAR };

static void
of_layer(struct pg_params *p, const struct layer_identity *layer)
{
	pg_text(p, layer->model);
	pg_int(p, layer->id);
}

static int
take_doubles(const PGresult *r, int row, int column, size_t features, double *out, struct err *e)
{
	const unsigned char *bytes;

	if (pg_get_bytes(r, row, column, features * sizeof(double), damage, &bytes, e) < 0)
		return -1;
	bytes_get_doubles(out, bytes, features);
	return 0;
}

/* The totals of a row, whose lists go to `mean` and `var`. */
static int
take_totals(const PGresult *r, int row, size_t features, double *mean, double *var, uint64_t *count, struct err *e)
{
	if (pg_get_int(r, row, COUNT) < 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s", damage);
	*count = (uint64_t)pg_get_int(r, row, COUNT);
	if (take_doubles(r, row, MEAN, features, mean, e) < 0)
		return -1;
	return take_doubles(r, row, VAR, features, var, e);
}

static int
load_row(const PGresult *r, int row, struct sources *into, struct err *e)
{
	struct source *source = source_new(into->features, PQgetvalue(r, row, NAME), pg_get_int(r, row, TIME));

	if (source == NULL)
		return err_fail_memory(e);
	if (take_totals(r, row, into->features, source->own.mean, source->own.var, &source->own.count, e) < 0) {
		source_free(source);
		return -1;
	}
	sources_load(into, source);
	return 0;
}

int
pg_load_sources(struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e)
{
	struct pg_params p = { 0 };
	int result = 0;
	PGresult *r;

	of_layer(&p, layer);
	if (pg_ask(b, COLUMNS, &p, &r, e) < 0)
		return -1;
	for (int row = 0; row < PQntuples(r) && result == 0; row++)
		result = load_row(r, row, into, e);
	PQclear(r);
	return result;
}

int
pg_put_source(struct backend *b, const struct layer_identity *layer, const struct source *source, struct err *e)
{
	static const char sql[] =
	    "INSERT INTO normd_source(model, layer_id, name, time_s, count, mean, var) VALUES($1, $2, $3, $4, $5, $6, "
	    "$7)"
	    " ON CONFLICT (model, layer_id, name) DO UPDATE SET time_s = excluded.time_s, count = excluded.count,"
	    " mean = excluded.mean, var = excluded.var";
	const struct statistics *own = &source->own;
	struct pg_params p = { 0 };

	of_layer(&p, layer);
	(void)e;
	pg_text(&p, source->name);
	pg_int(&p, source->time_s);
	pg_int(&p, (int64_t)own->count);
	pg_doubles(&p, &pg_self(b)->scratch, own->mean, own->features);
	pg_doubles(&p, &pg_self(b)->scratch, own->var, own->features);
	pg_send(b, sql, &p);
	return 0;
}

int
pg_delete_source(struct backend *b, const struct layer_identity *layer, const char *name, struct err *e)
{
	struct pg_params p = { 0 };

	of_layer(&p, layer);
	(void)e;
	pg_text(&p, name);
	pg_send(b, "DELETE FROM normd_source WHERE model = $1 AND layer_id = $2 AND name = $3", &p);
	return 0;
}

int
pg_delete_sources(struct backend *b, const struct layer_identity *layer, struct err *e)
{
	struct pg_params p = { 0 };

	of_layer(&p, layer);
	(void)e;
	pg_send(b, "DELETE FROM normd_source WHERE model = $1 AND layer_id = $2", &p);
	return 0;
}

static int
take_entry(const PGresult *r, int row, size_t features, struct store_source *entry, double *lists, struct err *e)
{
	entry->totals.mean = lists;
	entry->totals.var = lists + features;
	pg_get_text(r, row, NAME, entry->name, sizeof(entry->name));
	entry->time_s = pg_get_int(r, row, TIME);
	return take_totals(r, row, features, lists, lists + features, &entry->totals.count, e);
}

static int
take_entries(const PGresult *r, size_t limit, double *lists, struct store_sources *list, struct err *e)
{
	const size_t features = list->snapshot->statistics.features, rows = (size_t)PQntuples(r);

	for (; list->count < limit && list->count < rows; list->count++)
		if (take_entry(r, (int)list->count, features, &list->entries[list->count],
			lists + 2 * features * list->count, e) < 0)
			return -1;
	list->more = rows > limit;
	return 0;
}

int
pg_list_sources(struct backend *b, struct store_sources *list, struct err *e)
{
	static const char one[] = COLUMNS " AND name = $3 AND name <> ''",
			  page[] = COLUMNS " AND name > $3 ORDER BY name LIMIT $4";
	const size_t limit = source_page_limit(list), rows = limit + 1;
	struct pg_params p = { 0 };
	double *lists;
	PGresult *r;
	int result;

	of_layer(&p, list->snapshot->identity);
	if (limit == 0)
		return 0;
	lists = source_page_new(list, limit, rows, e);
	if (lists == NULL)
		return -1;
	pg_text(&p, list->name != NULL ? list->name : list->after != NULL ? list->after : "");
	if (list->name == NULL)
		pg_int(&p, (int64_t)rows);
	result = pg_ask(b, list->name != NULL ? one : page, &p, &r, e);
	if (result == 0) {
		result = take_entries(r, limit, lists, list, e);
		PQclear(r);
	}
	source_page_end(list, rows);
	return result;
}
