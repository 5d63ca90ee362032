/* SPDX-License-Identifier: MIT */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/rows.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_read.h"
#include "storage/sqlite_schema.h"

struct rows_sqlite {
	struct rows rows; /* first */
	sqlite3 *db;
	sqlite3_stmt *query;
	const char *types;
	const struct rows_table *table; /* that `insert` writes to */
	sqlite3_stmt *insert[3];
	bool open; /* a transaction */
};

static int
failed(const struct rows_sqlite *s, struct err *e)
{
	return sqlite_failed(s->db, "the store in SQLite", e);
}

/* ---- reading */

static int
read_rows(struct rows *r, const struct rows_query *q, uint64_t skip, struct err *e)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;
	int rc = SQLITE_ROW;

	sqlite3_finalize(s->query);
	s->query = NULL;
	s->types = q->types;
	if (sqlite3_prepare_v2(s->db, q->sqlite, -1, &s->query, NULL) != SQLITE_OK)
		return failed(s, e);
	for (; skip > 0 && rc == SQLITE_ROW; skip--)
		rc = sqlite3_step(s->query);
	return rc == SQLITE_ROW ? 0 : failed(s, e);
}

static void
take_cell(sqlite3_stmt *stmt, int column, char type, struct cell *c)
{
	*c = (struct cell){ .type = type, .null = sqlite3_column_type(stmt, column) == SQLITE_NULL };
	if (type == 'I')
		c->number = sqlite3_column_int64(stmt, column);
	else if (type == 'R')
		c->real = sqlite3_column_double(stmt, column);
	else
		c->bytes =
		    type == 'T' ? (const void *)sqlite3_column_text(stmt, column) : sqlite3_column_blob(stmt, column);
	c->length = (size_t)sqlite3_column_bytes(stmt, column);
}

static int
next_row(struct rows *r, struct cell cells[ROW_CELLS_MAX], bool *found, struct err *e)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;
	const int rc = sqlite3_step(s->query);

	*found = rc == SQLITE_ROW;
	for (int i = 0; *found && s->types[i] != '\0'; i++)
		take_cell(s->query, i, s->types[i], &cells[i]);
	return *found || rc == SQLITE_DONE ? 0 : failed(s, e);
}

/* ---- writing */

static int
prepare(struct rows_sqlite *s, const struct rows_table *t, struct err *e)
{
	if (s->table == t)
		return 0;
	s->table = t;
	for (size_t i = 0; i < 3; i++) {
		sqlite3_finalize(s->insert[i]);
		s->insert[i] = NULL;
		if (t->sqlite[i] != NULL &&
		    sqlite3_prepare_v2(s->db, t->sqlite[i], -1, &s->insert[i], NULL) != SQLITE_OK)
			return failed(s, e);
	}
	return 0;
}

static int
bind_cell(sqlite3_stmt *stmt, int place, const struct cell *c)
{
	if (c->null)
		return sqlite3_bind_null(stmt, place);
	if (c->type == 'I')
		return sqlite3_bind_int64(stmt, place, c->number);
	if (c->type == 'R')
		return sqlite3_bind_double(stmt, place, c->real);
	if (c->type == 'T')
		return sqlite3_bind_text(stmt, place, c->bytes, (int)c->length, SQLITE_STATIC);
	return sqlite3_bind_blob64(stmt, place, c->length > 0 ? c->bytes : "", c->length, SQLITE_STATIC);
}

static int
put_row(struct rows *r, const struct rows_table *t, const struct cell *cells, struct err *e)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;

	if (!s->open && sqlite_run(s->db, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	s->open = true;
	if (prepare(s, t, e) < 0)
		return -1;
	for (size_t i = 0; i < 3 && s->insert[i] != NULL; i++) {
		const int count = sqlite3_bind_parameter_count(s->insert[i]);

		for (int k = 0; k < count; k++)
			if (bind_cell(s->insert[i], k + 1, &cells[k]) != SQLITE_OK)
				return failed(s, e);
		if (sqlite3_step(s->insert[i]) != SQLITE_DONE)
			return failed(s, e);
		sqlite3_reset(s->insert[i]);
		sqlite3_clear_bindings(s->insert[i]);
	}
	return 0;
}

static int
commit(struct rows *r, const struct rows_progress *p, struct err *e)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;
	char sql[200];

	if (!s->open && sqlite_run(s->db, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	s->open = true;
	snprintf(sql, sizeof(sql), "UPDATE migration SET source = '%s', tables = %llu, rows = %llu", p->source,
	    (unsigned long long)p->table, (unsigned long long)p->rows);
	if (sqlite_run(s->db, sql, e) < 0 || sqlite_run(s->db, "COMMIT", e) < 0)
		return -1;
	s->open = false;
	return 0;
}

static int
finish(struct rows *r, struct err *e)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;
	char sql[120];

	sqlite3_finalize(s->query);
	s->query = NULL;
	snprintf(sql, sizeof(sql), "BEGIN IMMEDIATE; DROP TABLE migration; PRAGMA application_id=%d; COMMIT",
	    SQLITE_APPLICATION_ID);
	return sqlite_run(s->db, sql, e);
}

static void
close_rows(struct rows *r)
{
	struct rows_sqlite *s = (struct rows_sqlite *)r;

	sqlite3_finalize(s->query);
	for (size_t i = 0; i < 3; i++)
		sqlite3_finalize(s->insert[i]);
	sqlite3_close(s->db);
	free(s);
}

static const struct rows_ops ops = { read_rows, next_row, put_row, commit, finish, close_rows };

/* ---- opening; takes over `db`, which may be NULL after an error */

static struct rows *
make(sqlite3 *db, struct err *e)
{
	struct rows_sqlite *s = db == NULL ? NULL : calloc(1, sizeof(*s));

	if (s == NULL) {
		if (db != NULL)
			err_set_memory(e);
		sqlite3_close(db);
		return NULL;
	}
	s->rows.ops = &ops;
	s->db = db;
	return &s->rows;
}

struct rows *
rows_sqlite_source(const char *path, struct err *e)
{
	sqlite3 *db = sqlite_read_open(path, e);
	int version;

	if (db != NULL &&
	    (sqlite_check_owner(db, path, &version, e) < 0 || sqlite_check_newest(version, path, e) < 0)) {
		sqlite3_close(db);
		db = NULL;
	}
	return make(db, e);
}

/* An unfinished copy, of which SQLite has locked the file. NULL: it is none, or with `e`. */
static sqlite3 *
open_unfinished(const char *path, struct err *e)
{
	sqlite3 *db = NULL;
	int id = 0;

	if (access(path, F_OK) != 0)
		return NULL;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite_int(db, path, "PRAGMA application_id", &id, e) == 0 && id == SQLITE_MIGRATION_ID &&
	    sqlite_lock(db, path, e) == 0 &&
	    sqlite_run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF", e) == 0)
		return db;
	sqlite3_close(db);
	return NULL;
}

static int
read_progress(sqlite3 *db, struct rows_progress *p, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(db, "SELECT source, tables, rows FROM migration", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		snprintf(p->source, sizeof(p->source), "%s", (const char *)sqlite3_column_text(stmt, 0));
		p->table = (uint64_t)sqlite3_column_int64(stmt, 1);
		p->rows = (uint64_t)sqlite3_column_int64(stmt, 2);
		result = 0;
	}
	if (result < 0)
		(void)sqlite_failed(db, "the unfinished copy", e);
	sqlite3_finalize(stmt);
	return result;
}

/* A new store, or an empty one, becomes an unfinished copy. NULL with `e`. */
static sqlite3 *
open_empty(const char *path, struct err *e)
{
	sqlite3 *db = sqlite_open(path, NULL, e);
	char sql[200];
	int count = 0;

	snprintf(sql, sizeof(sql),
	    "BEGIN IMMEDIATE; CREATE TABLE migration(source TEXT, tables INTEGER, rows INTEGER) STRICT;"
	    "INSERT INTO migration VALUES('', 0, 0); PRAGMA application_id=%d; COMMIT",
	    SQLITE_MIGRATION_ID);
	if (db == NULL ||
	    sqlite_int(db, path, "SELECT (SELECT count(*) FROM model) + (SELECT count(*) FROM numbers)", &count, e) < 0)
		goto fail;
	if (count > 0) {
		err_set(e, ERR_STORAGE_UNAVAILABLE, "%s is not empty: name a store that does not exist yet", path);
		goto fail;
	}
	if (sqlite_run(db, sql, e) == 0)
		return db;
fail:
	sqlite3_close(db);
	return NULL;
}

struct rows *
rows_sqlite_target(const char *path, struct rows_progress *p, struct err *e)
{
	sqlite3 *db;

	memset(p, 0, sizeof(*p));
	*e = (struct err){ 0 };
	db = open_unfinished(path, e);
	if (db != NULL && read_progress(db, p, e) < 0) {
		sqlite3_close(db);
		return NULL;
	}
	if (db == NULL && e->code == ERR_NONE)
		db = open_empty(path, e);
	return make(db, e);
}
