/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "storage/source_page.h"
#include "storage/sqlite_backend.h"

/* One row: name, time, count, mean, var. `name` has room for STORE_NAME_MAX bytes and is zeroed. */
struct source_row {
	char *name;
	int64_t time_s;
	uint64_t count;
	double *mean, *var;
};

static const char damage[] = "the stored totals of a source are damaged";

static int
column_doubles(sqlite3_stmt *row, int column, size_t features, double *out, struct err *e)
{
	const unsigned char *bytes;

	if (statement_column_bytes(row, column, features * sizeof(double), damage, &bytes, e) < 0)
		return -1;
	bytes_get_doubles(out, bytes, features);
	return 0;
}

static int
read_row(sqlite3_stmt *row, size_t features, struct source_row *out, struct err *e)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const int64_t count = sqlite3_column_int64(row, 2);

	if (name == NULL)
		return err_fail_memory(e);
	memcpy(out->name, name, strnlen(name, STORE_NAME_MAX));
	out->time_s = sqlite3_column_int64(row, 1);
	out->count = (uint64_t)count;
	if (count < 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s", damage);
	if (column_doubles(row, 3, features, out->mean, e) < 0)
		return -1;
	return column_doubles(row, 4, features, out->var, e);
}

static int
load_row(sqlite3_stmt *row, struct sources *into, struct err *e)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	struct source *source = name == NULL ? NULL : source_new(into->features, name, 0);
	struct source_row read;

	if (source == NULL)
		return err_fail_memory(e);
	read = (struct source_row){ .name = source->name, .mean = source->own.mean, .var = source->own.var };
	if (read_row(row, into->features, &read, e) < 0) {
		source_free(source);
		return -1;
	}
	source->time_s = read.time_s;
	source->own.count = read.count;
	sources_load(into, source);
	return 0;
}

int
sqlite_load_sources(struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LOAD_SOURCES);
	int rc, result = 0;

	sqlite3_bind_int64(stmt, 1, layer->id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && result == 0)
		result = load_row(stmt, into, e);
	return statement_end(stmt, rc, result, e);
}

int
sqlite_put_source(struct backend *b, const struct layer_identity *layer, const struct source *source, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_PUT_SOURCE);
	const struct statistics *own = &source->own;

	sqlite3_bind_int64(stmt, 1, layer->id);
	statement_bind_text(stmt, 2, source->name);
	sqlite3_bind_int64(stmt, 3, source->time_s);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)own->count);
	if (statement_bind_doubles(stmt, 5, own->mean, own->features, e) < 0 ||
	    statement_bind_doubles(stmt, 6, own->var, own->features, e) < 0)
		return -1;
	return statement_run(stmt, e);
}

int
sqlite_delete_source(struct backend *b, const struct layer_identity *layer, const char *name, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_SOURCE);

	sqlite3_bind_int64(stmt, 1, layer->id);
	statement_bind_text(stmt, 2, name);
	return statement_run(stmt, e);
}

int
sqlite_delete_sources(struct backend *b, const struct layer_identity *layer, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_SOURCES);

	sqlite3_bind_int64(stmt, 1, layer->id);
	return statement_run(stmt, e);
}

/* Rows of SQLite's that exist while entries are read. */
#define ROWS ((size_t)2)

static int
entry_from_row(sqlite3_stmt *row, size_t features, struct store_source *entry, double *lists, struct err *e)
{
	struct source_row read = { .name = entry->name, .mean = lists, .var = lists + features };

	if (read_row(row, features, &read, e) < 0)
		return -1;
	entry->time_s = read.time_s;
	entry->totals = (struct moments){ read.count, read.mean, read.var };
	return 0;
}

/* Reads one row more than the limit, to know whether there are more. */
static int
read_rows(sqlite3_stmt *stmt, struct store_sources *list, size_t limit, double *lists, struct err *e)
{
	const size_t features = list->snapshot->statistics.features;
	int rc = SQLITE_DONE, result = 0;

	while (result == 0 && list->count < limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		result =
		    entry_from_row(stmt, features, &list->entries[list->count], lists + 2 * features * list->count, e);
		list->count++;
	}
	if (result == 0 && rc == SQLITE_ROW)
		list->more = (rc = sqlite3_step(stmt)) == SQLITE_ROW;
	return statement_end(stmt, rc, result, e);
}

int
sqlite_list_sources(struct backend *b, struct store_sources *list, struct err *e)
{
	const size_t limit = source_page_limit(list);
	sqlite3_stmt *stmt = sqlite_statement(b, list->name != NULL ? STATEMENT_GET_SOURCE : STATEMENT_LIST_SOURCES);
	double *lists;
	int result;

	if (limit == 0)
		return 0;
	lists = source_page_new(list, limit, ROWS, e);
	if (lists == NULL)
		return -1;
	sqlite3_bind_int64(stmt, 1, list->snapshot->identity->id);
	if (list->name != NULL) {
		statement_bind_text(stmt, 2, list->name);
	} else {
		statement_bind_text(stmt, 2, list->after != NULL ? list->after : "");
		sqlite3_bind_int64(stmt, 3, (sqlite3_int64)limit + 1);
	}
	result = read_rows(stmt, list, limit, lists, e);
	source_page_end(list, ROWS);
	return result;
}
