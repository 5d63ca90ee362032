/* SPDX-License-Identifier: MIT */
/*
 * A kept state is for the versions with a mark from its `first` to its `last`. Between two marks that are in use there
 * is a gap, of marks that were dropped or deleted or never belonged to a version; a state that was kept for marks in a
 * gap alone is for nobody. All of a gap is reclaimed together, and every row that is looked at on the way is deleted.
 * Of a model that was deleted nothing is needed, so nothing is looked at: its states go first, then its versions.
 */
#include "storage/sqlite_kept.h"

#include "storage/sqlite_backend.h"

/* What a slice deletes at most: a batch waits for it. One row may have more bytes. */
#define SLICE_ROWS ((size_t)100)
#define SLICE_BYTES ((int64_t)256 << 10)

int
sqlite_keep(struct backend *b, const struct layer_identity *layer, uint64_t mark, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_KEEP_LAYER);

	sqlite3_bind_int64(stmt, 1, layer->id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)mark);
	return statement_run(stmt, e);
}

/* A gap of a model: between the marks `begin` and `end`, without both. */
struct gap {
	int64_t model_id;
	int64_t begin, end;
};

static int
find_edge(struct backend *b, enum statement which, int64_t model_id, int64_t mark, int64_t *edge, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, which);

	sqlite3_bind_int64(stmt, 1, model_id);
	sqlite3_bind_int64(stmt, 2, mark);
	return statement_int(stmt, edge, e);
}

/* The gap around the first mark that is gone. */
static int
find_gap(struct backend *b, struct gap *g, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_FIRST_GONE);
	const int rc = sqlite3_step(stmt);
	int64_t mark = 0;

	*found = rc == SQLITE_ROW;
	if (*found) {
		g->model_id = sqlite3_column_int64(stmt, 0);
		mark = sqlite3_column_int64(stmt, 1);
	}
	if (statement_end(stmt, rc, 0, e) < 0)
		return -1;
	if (!*found)
		return 0;
	if (find_edge(b, STATEMENT_GAP_BEGIN, g->model_id, mark, &g->begin, e) < 0)
		return -1;
	return find_edge(b, STATEMENT_GAP_END, g->model_id, mark, &g->end, e);
}

/* What may still be deleted, and the rows that are to be. */
struct slice {
	size_t rows;
	int64_t bytes;
	int64_t ids[SLICE_ROWS];
	size_t count;
};

static bool
is_full(const struct slice *s)
{
	return s->rows == 0 || s->bytes <= 0;
}

/* Finds the rows of a gap that `which` selects (UNNEEDED: those that end at `last`), as many as fit. */
static int
find_rows(struct backend *b, enum statement which, const struct gap *g, int64_t last, struct slice *s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, which);
	int rc = SQLITE_DONE;

	s->count = 0;
	sqlite3_bind_int64(stmt, 1, g->model_id);
	sqlite3_bind_int64(stmt, 2, last);
	sqlite3_bind_int64(stmt, 3, g->begin);
	sqlite3_bind_int64(stmt, 4, SLICE_ROWS);
	while (!is_full(s) && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		s->ids[s->count++] = sqlite3_column_int64(stmt, 0);
		s->rows--;
		s->bytes -= sqlite3_column_int64(stmt, 1);
	}
	return statement_end(stmt, rc, 0, e);
}

static int
delete_rows(struct backend *b, const struct slice *s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_KEPT);

	for (size_t i = 0; i < s->count; i++) {
		sqlite3_bind_int64(stmt, 1, s->ids[i]);
		if (statement_run(stmt, e) < 0)
			return -1;
	}
	return 0;
}

static int
delete_kept(struct backend *b, const struct gap *g, struct slice *s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_NEXT_LAST);
	int64_t last = g->begin, next = -1;

	while (!is_full(s)) {
		sqlite3_bind_int64(stmt, 1, g->model_id);
		sqlite3_bind_int64(stmt, 2, last);
		sqlite3_bind_int64(stmt, 3, g->end);
		if (statement_int(stmt, &next, e) < 0)
			return -1;
		if (next < 0)
			return 0;
		last = next;
		if (find_rows(b, STATEMENT_UNNEEDED, g, last, s, e) < 0 || delete_rows(b, s, e) < 0)
			return -1;
	}
	return 0;
}

static int
run_in_gap(
    struct backend *b, enum statement which, const struct gap *g, int64_t keys_since_s, struct slice *s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, which);

	sqlite3_bind_int64(stmt, 1, g->model_id);
	sqlite3_bind_int64(stmt, 2, g->begin);
	sqlite3_bind_int64(stmt, 3, g->end);
	sqlite3_bind_int64(stmt, 4, keys_since_s);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)s->rows);
	if (statement_run(stmt, e) < 0)
		return -1;
	s->rows -= (size_t)sqlite3_changes64(sqlite_self(b)->db);
	return 0;
}

/* Once a gap has no kept states: its versions, but those whose keys may still be used. */
static int
forget_versions(struct backend *b, const struct gap *g, int64_t keys_since_s, struct slice *s, struct err *e)
{
	if (run_in_gap(b, STATEMENT_REMEMBER_GONE, g, keys_since_s, s, e) < 0)
		return -1;
	return run_in_gap(b, STATEMENT_FORGET_GONE, g, keys_since_s, s, e);
}

int
sqlite_leave_versions(struct backend *b, const char *model, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LEAVE_VERSIONS);

	statement_bind_text(stmt, 1, model);
	return statement_run(stmt, e);
}

/* A slice of a model that was deleted; at its end the model's row among those that are gone. */
static int
forget_model(struct backend *b, int64_t model_id, struct slice *s, struct err *e)
{
	const struct gap all = { .model_id = model_id };
	sqlite3_stmt *gone = sqlite_statement(b, STATEMENT_DELETE_LEFT_MODEL);

	do {
		if (find_rows(b, STATEMENT_KEPT_OF_MODEL, &all, 0, s, e) < 0 || delete_rows(b, s, e) < 0)
			return -1;
	} while (s->count > 0 && !is_full(s));
	if (!is_full(s) && run_in_gap(b, STATEMENT_DELETE_VERSIONS, &all, 0, s, e) < 0)
		return -1;
	if (is_full(s))
		return 0;
	s->rows--;
	sqlite3_bind_int64(gone, 1, model_id);
	return statement_run(gone, e);
}

static int
forget_models(struct backend *b, struct slice *s, struct err *e)
{
	while (!is_full(s)) {
		int64_t model_id = 0;

		if (statement_int(sqlite_statement(b, STATEMENT_FIRST_LEFT_MODEL), &model_id, e) < 0)
			return -1;
		if (model_id == 0)
			return 0;
		if (forget_model(b, model_id, s, e) < 0)
			return -1;
	}
	return 0;
}

static int
forget_remembered(struct backend *b, int64_t keys_since_s, struct slice *s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_FORGET_REMEMBERED);

	sqlite3_bind_int64(stmt, 1, keys_since_s);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)s->rows);
	if (statement_run(stmt, e) < 0)
		return -1;
	s->rows -= (size_t)sqlite3_changes64(sqlite_self(b)->db);
	return 0;
}

int
sqlite_reclaim(struct backend *b, int64_t keys_since_s, bool *more, struct err *e)
{
	struct slice s = { .rows = SLICE_ROWS, .bytes = SLICE_BYTES };
	struct gap g;
	bool found = true;

	if (forget_models(b, &s, e) < 0)
		return -1;
	while (!is_full(&s)) {
		if (find_gap(b, &g, &found, e) < 0)
			return -1;
		if (!found)
			break;
		if (delete_kept(b, &g, &s, e) < 0 || (!is_full(&s) && forget_versions(b, &g, keys_since_s, &s, e) < 0))
			return -1;
	}
	if (!is_full(&s) && forget_remembered(b, keys_since_s, &s, e) < 0)
		return -1;
	*more = is_full(&s);
	return 0;
}
