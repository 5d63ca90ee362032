/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_versions.h"

#include <string.h>

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

int
sqlite_take_pin(struct backend *b, const char *model, int64_t now_s, int64_t *id, bool *layers, struct err *e)
{
	sqlite3_stmt *has_layers = sqlite_statement(b, STATEMENT_HAS_LAYERS),
		     *raise = sqlite_statement(b, STATEMENT_RAISE_MARK),
		     *take = sqlite_statement(b, STATEMENT_TAKE_PIN);
	int64_t some = 0;

	statement_bind_text(has_layers, 1, model);
	if (statement_int(has_layers, &some, e) < 0)
		return -1;
	*layers = some != 0;
	if (!*layers)
		return 0;
	statement_bind_text(raise, 1, model);
	statement_bind_text(take, 1, model);
	sqlite3_bind_int64(take, 2, now_s);
	if (statement_run(raise, e) < 0 || statement_run(take, e) < 0)
		return -1;
	*id = sqlite3_last_insert_rowid(sqlite_self(b)->db);
	return 0;
}

int
sqlite_last_pin(struct backend *b, int64_t *id, struct err *e)
{
	*id = 0;
	return statement_int(sqlite_statement(b, STATEMENT_LAST_PIN), id, e);
}

int
sqlite_drop_pins(struct backend *b, int64_t first, int64_t last, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DROP_PINS);

	sqlite3_bind_int64(stmt, 1, first);
	sqlite3_bind_int64(stmt, 2, last);
	return statement_run(stmt, e);
}

static int
version_from_row(sqlite3_stmt *row, void *entry, struct err *e)
{
	struct store_version *out = entry;
	const unsigned char *digest;
	const char *note = (const char *)sqlite3_column_text(row, 3);

	if (note == NULL && sqlite3_errcode(sqlite3_db_handle(row)) == SQLITE_NOMEM)
		return err_fail_memory(e);
	if (note == NULL)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the stored note of a version is damaged");
	if (statement_column_bytes(row, 2, SHA256_BYTES, "the stored digest of a version is damaged", &digest, e) < 0)
		return -1;
	out->number = (uint64_t)sqlite3_column_int64(row, 0);
	out->created_s = sqlite3_column_int64(row, 1);
	memcpy(out->digest, digest, SHA256_BYTES);
	memcpy(out->note, note, strnlen(note, STORE_NOTE_MAX));
	return 0;
}

/* Whether there is such a pin, that is neither dropped nor a version. */
static int
find_pin(struct backend *b, const struct new_version *make, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_FIND_PIN);
	int64_t one = 0;

	statement_bind_text(stmt, 1, make->model);
	sqlite3_bind_int64(stmt, 2, make->pin);
	if (statement_int(stmt, &one, e) < 0)
		return -1;
	*found = one != 0;
	return 0;
}

static int
number_pin(struct backend *b, const struct new_version *make, struct err *e)
{
	sqlite3_stmt *raise = sqlite_statement(b, STATEMENT_RAISE_NUMBER),
		     *number = sqlite_statement(b, STATEMENT_MAKE_VERSION);

	statement_bind_text(raise, 1, make->model);
	if (statement_run(raise, e) < 0)
		return -1;
	statement_bind_text(number, 1, make->model);
	sqlite3_bind_int64(number, 2, make->pin);
	statement_bind_text(number, 3, make->note);
	sqlite3_bind_blob(number, 4, make->digest, SHA256_BYTES, SQLITE_STATIC);
	if (make->key != NULL) {
		statement_bind_text(number, 5, make->key);
		sqlite3_bind_blob(number, 6, make->key_digest, DIGEST_BYTES, SQLITE_STATIC);
	}
	return statement_run(number, e);
}

int
sqlite_make_version(
    struct backend *b, const struct new_version *make, struct store_version *made, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_MADE_VERSION);
	int rc, result = 0;

	if (find_pin(b, make, found, e) < 0)
		return -1;
	if (!*found)
		return 0;
	if (number_pin(b, make, e) < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, make->pin);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		result = version_from_row(stmt, made, e);
	return statement_end(stmt, rc, result, e);
}

static int
used_version_from_row(sqlite3_stmt *row, struct used_version *out, struct err *e)
{
	const unsigned char *key_digest;

	if (statement_column_bytes(
		row, 4, DIGEST_BYTES, "the stored idempotency key of a version is damaged", &key_digest, e) < 0)
		return -1;
	memcpy(out->key_digest, key_digest, DIGEST_BYTES);
	return version_from_row(row, &out->version, e);
}

int
sqlite_find_version_key(struct backend *b, const struct new_version *asked, int64_t since_s, struct used_version *out,
    bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_FIND_VERSION_KEY);
	int rc, result = 0;

	statement_bind_text(stmt, 1, asked->model);
	statement_bind_text(stmt, 2, asked->key);
	sqlite3_bind_int64(stmt, 3, since_s);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		result = used_version_from_row(stmt, out, e);
	return statement_end(stmt, rc, result, e);
}

int
sqlite_delete_version(struct backend *b, const char *model, uint64_t number, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_VERSION);

	statement_bind_text(stmt, 1, model);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)number);
	return statement_run(stmt, e);
}

int
sqlite_list_versions(struct backend *b, uint64_t number, struct store_versions *list, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, number != 0 ? STATEMENT_GET_VERSION : STATEMENT_LIST_VERSIONS);
	struct statement_list rows = { .limit = number != 0 ? 1 : list->limit, .entry_bytes = sizeof(*list->entries) };
	int result;

	statement_bind_text(stmt, 1, list->model);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)(number != 0 ? number : list->after));
	if (number == 0)
		sqlite3_bind_int64(stmt, 3, (sqlite3_int64)list->limit + 1);
	result = statement_list(stmt, version_from_row, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}
