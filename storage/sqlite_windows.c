/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_windows.h"

#include <stdlib.h>

#include "storage/sqlite_backend.h"

/* The columns of LOAD_WINDOW. */
enum { SWITCH, SWITCH_TIME, SINCE, COUNT, MEAN, VAR };

/* A row whose lists do not fit counts as empty: `normd check` tells of it. */
static int
read_row(sqlite3_stmt *stmt, struct window_row *out, struct err *e)
{
	const bool there = sqlite3_column_type(stmt, SINCE) != SQLITE_NULL;
	const int64_t count = sqlite3_column_int64(stmt, COUNT);
	size_t vars;

	out->switch_id = sqlite3_column_int64(stmt, SWITCH);
	out->since_s = sqlite3_column_int64(stmt, there ? SINCE : SWITCH_TIME);
	if (count <= 0)
		return 0;
	if (statement_column_doubles(stmt, MEAN, &out->mean, &out->features, e) < 0 ||
	    statement_column_doubles(stmt, VAR, &out->var, &vars, e) < 0) {
		free(out->mean);
		out->mean = NULL;
		return -1;
	}
	if (out->mean != NULL && out->var != NULL && vars == out->features)
		out->count = (uint64_t)count;
	return 0;
}

int
sqlite_load_window(
    struct backend *b, const struct layer_identity *layer, struct window_row *out, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LOAD_WINDOW);
	int rc, result = 0;

	*out = (struct window_row){ 0 };
	sqlite3_bind_int64(stmt, 1, layer->id);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		result = read_row(stmt, out, e);
	return statement_end(stmt, rc, result, e);
}

int
sqlite_save_window(struct backend *b, const struct layer_identity *layer, const struct window_row *row,
    const struct moments *moments, size_t features, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_SAVE_WINDOW);

	sqlite3_bind_int64(stmt, 1, layer->id);
	sqlite3_bind_int64(stmt, 2, row->switch_id);
	sqlite3_bind_int64(stmt, 3, row->since_s);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)moments->count);
	if (statement_bind_doubles(stmt, 5, moments->mean, features, e) < 0 ||
	    statement_bind_doubles(stmt, 6, moments->var, features, e) < 0)
		return -1;
	return statement_run(stmt, e);
}
