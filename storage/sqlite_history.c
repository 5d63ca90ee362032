/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_history.h"

#include <math.h>

#include "storage/sqlite_backend.h"

/* The columns of LIST_MOMENTS; ADD_MOMENT takes them in the same order, after the layer's id. */
enum { NUMBER, TIME, REVISION, BATCHES, MEAN, VAR = MEAN + 3, DRIFT = VAR + 3 };

int
sqlite_last_moment(struct backend *b, const struct layer_identity *layer, struct store_moment *out, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LAST_MOMENT);
	int rc;

	sqlite3_bind_int64(stmt, 1, layer->id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		out->number = (uint64_t)sqlite3_column_int64(stmt, NUMBER);
		out->time_s = sqlite3_column_int64(stmt, TIME);
		out->revision = (uint64_t)sqlite3_column_int64(stmt, REVISION);
	}
	return statement_end(stmt, rc, 0, e);
}

static void
bind_spread(sqlite3_stmt *stmt, int i, const struct spread *s)
{
	sqlite3_bind_double(stmt, i, s->min);
	sqlite3_bind_double(stmt, i + 1, s->median);
	sqlite3_bind_double(stmt, i + 2, s->max);
}

static int
thin(struct backend *b, const struct layer_identity *layer, uint64_t number, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_MOMENT);

	sqlite3_bind_int64(stmt, 1, layer->id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)number);
	return statement_run(stmt, e);
}

int
sqlite_add_moment(struct backend *b, const struct layer_identity *layer, const struct store_moment *moment,
    uint64_t thinned, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_ADD_MOMENT);

	sqlite3_bind_int64(stmt, 1, layer->id);
	sqlite3_bind_int64(stmt, 2 + NUMBER, (sqlite3_int64)moment->number);
	sqlite3_bind_int64(stmt, 2 + TIME, moment->time_s);
	sqlite3_bind_int64(stmt, 2 + REVISION, (sqlite3_int64)moment->revision);
	sqlite3_bind_int64(stmt, 2 + BATCHES, (sqlite3_int64)moment->num_batches_tracked);
	bind_spread(stmt, 2 + MEAN, &moment->mean);
	bind_spread(stmt, 2 + VAR, &moment->var);
	if (!isnan(moment->drift))
		sqlite3_bind_double(stmt, 2 + DRIFT, moment->drift);
	if (statement_run(stmt, e) < 0)
		return -1;
	return thinned != 0 ? thin(b, layer, thinned, e) : 0;
}

int
sqlite_leave_history(struct backend *b, const struct layer_identity *layer, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LEAVE_HISTORY);

	sqlite3_bind_int64(stmt, 1, layer->id);
	return statement_run(stmt, e);
}

int
sqlite_leave_histories(struct backend *b, const char *model, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LEAVE_HISTORIES);

	statement_bind_text(stmt, 1, model);
	return statement_run(stmt, e);
}

/* Deletes up to `limit` rows of a layer, and at the end the layer's row among those that are gone. */
static int
purge_layer(struct backend *b, int64_t layer_id, size_t limit, size_t *purged, struct err *e)
{
	sqlite3_stmt *moments = sqlite_statement(b, STATEMENT_DELETE_MOMENTS),
		     *gone = sqlite_statement(b, STATEMENT_DELETE_LEFT);

	sqlite3_bind_int64(moments, 1, layer_id);
	sqlite3_bind_int64(moments, 2, (sqlite3_int64)limit);
	if (statement_run(moments, e) < 0)
		return -1;
	*purged = (size_t)sqlite3_changes64(sqlite_self(b)->db);
	if (*purged == limit)
		return 0;
	++*purged;
	sqlite3_bind_int64(gone, 1, layer_id);
	return statement_run(gone, e);
}

int
sqlite_purge_history(struct backend *b, size_t limit, size_t *purged, struct err *e)
{
	size_t rows;

	for (*purged = 0; *purged < limit; *purged += rows) {
		int64_t layer_id = 0;

		if (statement_int(sqlite_statement(b, STATEMENT_FIRST_LEFT), &layer_id, e) < 0)
			return -1;
		if (layer_id == 0)
			return 0;
		if (purge_layer(b, layer_id, limit - *purged, &rows, e) < 0)
			return -1;
	}
	return 0;
}

static struct spread
column_spread(sqlite3_stmt *row, int column)
{
	return (struct spread){ .min = sqlite3_column_double(row, column),
		.median = sqlite3_column_double(row, column + 1),
		.max = sqlite3_column_double(row, column + 2) };
}

static int
read_moment(sqlite3_stmt *row, void *out, struct err *e)
{
	struct store_moment *m = out;

	(void)e;
	m->number = (uint64_t)sqlite3_column_int64(row, NUMBER);
	m->time_s = sqlite3_column_int64(row, TIME);
	m->revision = (uint64_t)sqlite3_column_int64(row, REVISION);
	m->num_batches_tracked = (uint64_t)sqlite3_column_int64(row, BATCHES);
	m->mean = column_spread(row, MEAN);
	m->var = column_spread(row, VAR);
	m->drift = sqlite3_column_type(row, DRIFT) == SQLITE_NULL ? NAN : sqlite3_column_double(row, DRIFT);
	return 0;
}

int
sqlite_list_moments(struct backend *b, struct store_history *list, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LIST_MOMENTS);
	struct statement_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	int result;

	if (budget_ask(list->memory, rows.limit * rows.entry_bytes, e) < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, list->snapshot->identity->id);
	sqlite3_bind_int64(stmt, 2, list->before != 0 ? (sqlite3_int64)list->before : INT64_MAX);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)list->limit + 1);
	result = statement_list(stmt, read_moment, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}
