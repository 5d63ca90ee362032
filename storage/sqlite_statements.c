/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_statements.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "storage/sqlite_errors.h"

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT_SQL(name, sql) [STATEMENT_##name] = sql,
	STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

static int
failed(sqlite3 *db, struct err *e)
{
	return sqlite_failed(db, "the database", e);
}

int
statements_prepare(sqlite3 *db, sqlite3_stmt *statements[STATEMENT_COUNT], struct err *e)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL) !=
		    SQLITE_OK)
			return failed(db, e);
	return 0;
}

void
statements_finalize(sqlite3_stmt *statements[STATEMENT_COUNT])
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(statements[i]);
}

static void
make_ready(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

int
statement_run(sqlite3_stmt *stmt, struct err *e)
{
	int result = sqlite3_step(stmt) == SQLITE_DONE ? 0 : failed(sqlite3_db_handle(stmt), e);

	make_ready(stmt);
	return result;
}

int
statement_end(sqlite3_stmt *stmt, int rc, int result, struct err *e)
{
	if (result == 0 && rc != SQLITE_ROW && rc != SQLITE_DONE)
		result = failed(sqlite3_db_handle(stmt), e);
	make_ready(stmt);
	return result;
}

int
statement_int(sqlite3_stmt *stmt, int64_t *value, struct err *e)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	return statement_end(stmt, rc, 0, e);
}

int
statement_list(sqlite3_stmt *stmt, statement_read *read, struct statement_list *list, struct err *e)
{
	int rc = SQLITE_ROW, result = 0;

	if (list->entries == NULL)
		list->entries = calloc(list->limit, list->entry_bytes);
	if (list->entries == NULL)
		return statement_end(stmt, SQLITE_DONE, err_fail_memory(e), e);
	while (result == 0 && list->count < list->limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		result = read(stmt, (char *)list->entries + list->entry_bytes * list->count++, e);
	if (result == 0 && rc == SQLITE_ROW)
		list->more = (rc = sqlite3_step(stmt)) == SQLITE_ROW;
	return statement_end(stmt, rc, result, e);
}

void
statement_bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

int
statement_bind_doubles(sqlite3_stmt *stmt, int i, const double *values, size_t n, struct err *e)
{
	unsigned char *bytes;

	if (values == NULL)
		return 0;
	bytes = sqlite3_malloc64(8 * n + 1);
	if (bytes != NULL) {
		bytes_put_doubles(bytes, values, n);
		if (sqlite3_bind_blob64(stmt, i, bytes, 8 * n, sqlite3_free) == SQLITE_OK)
			return 0;
	}
	(void)(bytes == NULL ? err_fail_memory(e) : failed(sqlite3_db_handle(stmt), e));
	make_ready(stmt); /* what is bound already must not get into the next layer's row */
	return -1;
}

int
statement_column_bytes(
    sqlite3_stmt *row, int column, size_t n, const char *damage, const unsigned char **out, struct err *e)
{
	*out = sqlite3_column_blob(row, column);
	if (*out != NULL && (size_t)sqlite3_column_bytes(row, column) == n)
		return 0;
	if (*out == NULL && sqlite3_errcode(sqlite3_db_handle(row)) == SQLITE_NOMEM)
		return err_fail_memory(e);
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s", damage);
}

int
statement_column_doubles(sqlite3_stmt *stmt, int column, double **values, size_t *n, struct err *e)
{
	const void *blob = sqlite3_column_blob(stmt, column);

	*n = (size_t)sqlite3_column_bytes(stmt, column) / 8;
	*values = NULL;
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return 0;
	*values = malloc(*n * sizeof(**values) + 1);
	if (*values == NULL)
		return err_fail_memory(e);
	bytes_get_doubles(*values, blob, *n);
	return 0;
}
