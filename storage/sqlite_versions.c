/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_versions.h"

#include "storage/sqlite_backend.h"

int
sqlite_load_pointer(
    struct backend *b, const char *model, const char *name, struct pointer *out, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, *name == '\0' ? STATEMENT_LOAD_SERVING : STATEMENT_LOAD_ALIAS);
	int rc;

	statement_bind_text(stmt, 1, model);
	if (*name != '\0')
		statement_bind_text(stmt, 2, name);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		*out = (struct pointer){ (uint64_t)sqlite3_column_int64(stmt, 0),
			(uint64_t)sqlite3_column_int64(stmt, 1) };
	return statement_end(stmt, rc, 0, e);
}

int
sqlite_version_exists(struct backend *b, const char *model, uint64_t number, bool *exists, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_VERSION_EXISTS);
	int64_t one = 0;
	int result;

	statement_bind_text(stmt, 1, model);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)number);
	result = statement_int(stmt, &one, e);
	*exists = one != 0;
	return result;
}
