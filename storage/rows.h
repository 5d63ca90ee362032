/* SPDX-License-Identifier: MIT */
/*
 * The rows of a store, one by one, the same from SQLite and from PostgreSQL: for normd migrate, which copies them from
 * one to the other and compares them. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

/* A value of a row. Its bytes are the database's until the next row; a text has a NUL behind them. */
struct cell {
	char type; /* of the query: I a whole number, R a double, T a text, B bytes */
	bool null;
	int64_t number;
	double real;
	const void *bytes;
	size_t length;
};

#define ROW_CELLS_MAX 20
#define ROWS_TABLES_MAX 16
#define ROWS_SOURCE_BYTES (2 * DIGEST_BYTES + 1)

/* A query with the same rows, in the same order, from both. `types`: those of its columns. */
struct rows_query {
	const char *types;
	const char *sqlite, *pg;
};

/* A table: how its rows are read and written. Parameter n of a statement is column n of the query. */
struct rows_table {
	const char *name;
	struct rows_query read;
	const char *sqlite[3]; /* statements that write a row, up to the first NULL */
	const char *pg;
};

/* In the order in which rows can be written. */
extern const struct rows_table rows_tables[];
extern const size_t rows_table_count;

/* How far a copy is: it begins with the row `rows` of the table number `table`. `source`: what it is a copy of. */
struct rows_progress {
	char source[ROWS_SOURCE_BYTES];
	uint64_t table, rows;
};

struct rows {
	const struct rows_ops *ops;
};

struct rows_ops {
	/* Rows of a query from number `skip` on. *found: there was one more. */
	int (*read)(struct rows *r, const struct rows_query *q, uint64_t skip, struct err *e);
	int (*next)(struct rows *r, struct cell cells[ROW_CELLS_MAX], bool *found, struct err *e);
	/* Rows that are put are there with the next `commit`, which also notes the progress. */
	int (*put)(struct rows *r, const struct rows_table *t, const struct cell *cells, struct err *e);
	int (*commit)(struct rows *r, const struct rows_progress *p, struct err *e);
	/* The copy is whole: a daemon may have the store now. */
	int (*finish)(struct rows *r, struct err *e);
	void (*close)(struct rows *r);
};

/*
 * Opens a store that no daemon has, to read all of it in one state. NULL with `e`: also if it is an older or newer
 * normd's, or an unfinished copy.
 */
struct rows *rows_open_source(const char *url, struct err *e) MUST_CHECK;

/*
 * Opens a store to write a copy to: one that is empty, or is not there yet, or is an unfinished copy (p->source is not
 * empty then). Until the copy is finished no daemon will open it. NULL with `e`.
 */
struct rows *rows_open_target(const char *url, struct rows_progress *p, struct err *e) MUST_CHECK;

struct rows *rows_sqlite_source(const char *path, struct err *e) MUST_CHECK;
struct rows *rows_sqlite_target(const char *path, struct rows_progress *p, struct err *e) MUST_CHECK;
struct rows *rows_pg_source(const char *url, struct err *e) MUST_CHECK;
struct rows *rows_pg_target(const char *url, struct rows_progress *p, struct err *e) MUST_CHECK;
