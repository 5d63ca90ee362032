/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_serving.h"

#include <string.h>

#include "storage/sqlite_backend.h"

int
sqlite_add_switch(struct backend *b, const char *model, struct store_switch *added, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_ADD_SWITCH);

	statement_bind_text(stmt, 1, model);
	sqlite3_bind_int64(stmt, 2, added->time_s);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)added->from);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)added->to);
	statement_bind_text(stmt, 5, added->note);
	if (statement_run(stmt, e) < 0)
		return -1;
	added->id = sqlite3_last_insert_rowid(sqlite_self(b)->db);
	return 0;
}

static int
switch_from_row(sqlite3_stmt *row, void *entry, struct err *e)
{
	struct store_switch *out = entry;
	const char *note = (const char *)sqlite3_column_text(row, 4);

	if (note == NULL)
		return err_fail_memory(e);
	out->id = sqlite3_column_int64(row, 0);
	out->time_s = sqlite3_column_int64(row, 1);
	out->from = (uint64_t)sqlite3_column_int64(row, 2);
	out->to = (uint64_t)sqlite3_column_int64(row, 3);
	memcpy(out->note, note, strnlen(note, STORE_NOTE_MAX));
	return 0;
}

int
sqlite_list_switches(struct backend *b, struct store_switches *list, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LIST_SWITCHES);
	struct statement_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	int result;

	statement_bind_text(stmt, 1, list->model);
	sqlite3_bind_int64(stmt, 2, list->before != 0 ? list->before : INT64_MAX);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)list->limit + 1);
	result = statement_list(stmt, switch_from_row, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
sqlite_put_alias(struct backend *b, const char *model, const char *alias, uint64_t number, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_PUT_ALIAS);

	statement_bind_text(stmt, 1, model);
	statement_bind_text(stmt, 2, alias);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)number);
	return statement_run(stmt, e);
}

int
sqlite_delete_alias(struct backend *b, const char *model, const char *alias, bool *deleted, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_ALIAS);

	statement_bind_text(stmt, 1, model);
	statement_bind_text(stmt, 2, alias);
	if (statement_run(stmt, e) < 0)
		return -1;
	*deleted = sqlite3_changes64(sqlite_self(b)->db) > 0;
	return 0;
}

static int
alias_from_row(sqlite3_stmt *row, void *entry, struct err *e)
{
	struct store_alias *out = entry;
	const char *name = (const char *)sqlite3_column_text(row, 0);

	if (name == NULL)
		return err_fail_memory(e);
	memcpy(out->name, name, strnlen(name, sizeof(out->name) - 1));
	out->number = (uint64_t)sqlite3_column_int64(row, 1);
	return 0;
}

int
sqlite_list_aliases(struct backend *b, struct store_aliases *list, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LIST_ALIASES);
	struct statement_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	int result;

	statement_bind_text(stmt, 1, list->model);
	statement_bind_text(stmt, 2, list->after != NULL ? list->after : "");
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)list->limit + 1);
	result = statement_list(stmt, alias_from_row, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
sqlite_find_alias(
    struct backend *b, const char *model, uint64_t number, struct store_alias *out, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_ALIAS_OF);
	int rc, result = 0;

	statement_bind_text(stmt, 1, model);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)number);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		result = alias_from_row(stmt, out, e);
	return statement_end(stmt, rc, result, e);
}
