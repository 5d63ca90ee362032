/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/snapshot.h"
#include "storage/sqlite_backend.h"

/* Which state a row is. */
struct names {
	const char *model, *layer;
	const struct model_at *at;         /* NULL: live */
	const struct layer_identity *live; /* as in struct state_row */
};

/* What a row says of a layer in single numbers. */
static struct snapshot
numbers_from_row(sqlite3_stmt *row)
{
	return (struct snapshot){
		.revision = (uint64_t)sqlite3_column_int64(row, 2),
		.statistics = { .features = (size_t)sqlite3_column_int64(row, 3),
		    .num_batches_tracked = (uint64_t)sqlite3_column_int64(row, 4),
		    .count = (uint64_t)sqlite3_column_int64(row, 5),
		    .decayed_count = sqlite3_column_double(row, 10) },
		.frozen = sqlite3_column_int(row, 11) != 0,
		.sources = (size_t)sqlite3_column_int64(row, 12),
		.changed_s = sqlite3_column_int64(row, 13),
		.since = (uint64_t)sqlite3_column_int64(row, 14),
	};
}

/* A reference; NULL with `e`. */
static const struct layer_identity *
identity_from_row(struct backend *b, sqlite3_stmt *row, const struct names *names, struct err *e)
{
	const int64_t id = sqlite3_column_int64(row, 0);
	const char *definition = (const char *)sqlite3_column_text(row, 1);

	if (names->live != NULL && names->live->id == id)
		return layer_identity_ref(names->live);
	if (definition != NULL)
		return layer_identity_new(id, names->model, names->layer, definition, sqlite_self(b)->identities, e);
	err_set_memory(e);
	return NULL;
}

static int
snapshot_from_row(
    struct backend *b, sqlite3_stmt *row, const struct names *names, const struct snapshot **out, struct err *e)
{
	struct snapshot loaded = numbers_from_row(row);
	struct statistics *s = &loaded.statistics;
	double *weight = NULL, *bias = NULL;
	size_t mean_count, var_count, weight_count, bias_count;
	const struct layer_identity *identity = identity_from_row(b, row, names, e);
	int result = -1;

	if (identity == NULL || statement_column_doubles(row, 6, &s->mean, &mean_count, e) < 0 ||
	    statement_column_doubles(row, 7, &s->var, &var_count, e) < 0 ||
	    statement_column_doubles(row, 8, &weight, &weight_count, e) < 0 ||
	    statement_column_doubles(row, 9, &bias, &bias_count, e) < 0)
		goto out;
	if (snapshot_check_lists(s, mean_count, var_count, names->model, names->layer, e) < 0)
		goto out;
	loaded.identity = identity;
	if (names->at != NULL) {
		loaded.version = names->at->version;
		memcpy(loaded.version_digest, names->at->digest, SHA256_BYTES);
	}
	loaded.weight = (struct store_vector){ weight, weight_count };
	loaded.bias = (struct store_vector){ bias, bias_count };
	*out = snapshot_new(&loaded);
	result = *out == NULL ? err_fail_memory(e) : 0;
out:
	layer_identity_unref(identity);
	free(s->mean);
	free(s->var);
	free(weight);
	free(bias);
	return result;
}

/* While a layer is loaded its lists exist three times: in SQLite's row, as doubles, and in the snapshot. */
#define LOAD_COPIES ((size_t)3)

/* Loads the state in the row of a query that is bound; *out stays NULL where there is none. */
static int
load(struct backend *b, sqlite3_stmt *stmt, const struct names *names, const struct snapshot **out, struct err *e)
{
	const int rc = sqlite3_step(stmt);
	int result = 0;

	if (rc == SQLITE_ROW)
		result = snapshot_from_row(b, stmt, names, out, e);
	return statement_end(stmt, rc, result, e);
}

/* The bytes of a layer's lists; 0 if there is no such layer. */
static int
load_bytes(struct backend *b, const char *model, const char *layer, int64_t *bytes, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LOAD_BYTES);

	statement_bind_text(stmt, 1, model);
	statement_bind_text(stmt, 2, layer);
	return statement_int(stmt, bytes, e);
}

int
sqlite_load(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LOAD);
	int64_t bytes = 0;
	int result;

	*out = NULL;
	if (memory != NULL &&
	    (load_bytes(b, model, layer, &bytes, e) < 0 || budget_ask(memory, LOAD_COPIES * (size_t)bytes, e) < 0))
		return -1;
	statement_bind_text(stmt, 1, model);
	statement_bind_text(stmt, 2, layer);
	result = load(b, stmt, &(struct names){ .model = model, .layer = layer }, out, e);
	budget_give(memory, (LOAD_COPIES - (*out != NULL)) * (size_t)bytes);
	return result;
}

static int
digest_from_row(sqlite3_stmt *row, struct model_at *at, struct err *e)
{
	const unsigned char *digest;

	if (statement_column_bytes(row, 2, SHA256_BYTES, "the stored digest of a version is damaged", &digest, e) < 0)
		return -1;
	memcpy(at->digest, digest, SHA256_BYTES);
	return 0;
}

int
sqlite_find_at(struct backend *b, struct model_at *at, bool *found, struct err *e)
{
	const enum statement which = at->pin != 0 ? STATEMENT_AT_PIN :
	    at->version != 0                      ? STATEMENT_AT_VERSION :
						    STATEMENT_AT_LIVE;
	sqlite3_stmt *stmt = sqlite_statement(b, which);
	int rc, result = 0;

	statement_bind_text(stmt, 1, at->model);
	if (which != STATEMENT_AT_LIVE)
		sqlite3_bind_int64(stmt, 2, at->pin != 0 ? at->pin : (int64_t)at->version);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found) {
		at->model_id = sqlite3_column_int64(stmt, 0);
		at->mark = sqlite3_column_int64(stmt, 1);
	}
	if (*found && which == STATEMENT_AT_VERSION)
		result = digest_from_row(stmt, at, e);
	return statement_end(stmt, rc, result, e);
}

/* A name in the row at hand. */
static int
copy_name(sqlite3_stmt *row, int column, char name[STORE_NAME_MAX + 1], struct err *e)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	if (text == NULL)
		return err_fail_memory(e);
	snprintf(name, STORE_NAME_MAX + 1, "%s", text);
	return 0;
}

/* Runs a query that is bound: of a row's id, its first mark, its bytes, and its name unless that is known. */
static int
find(sqlite3_stmt *stmt, bool kept, struct state_row *out, bool *found, struct err *e)
{
	const int rc = sqlite3_step(stmt);
	int result = 0;

	*found = rc == SQLITE_ROW;
	if (*found) {
		out->kept = kept;
		out->id = sqlite3_column_int64(stmt, 0);
		out->since = (uint64_t)sqlite3_column_int64(stmt, 1);
		out->bytes = (size_t)sqlite3_column_int64(stmt, 2);
		result = sqlite3_column_count(stmt) > 3 ? copy_name(stmt, 3, out->name, e) : 0;
	}
	return statement_end(stmt, rc, result, e);
}

static int
find_in(struct backend *b, bool kept, const struct model_at *at, struct state_row *out, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, kept ? STATEMENT_FIND_KEPT : STATEMENT_FIND_LIVE);

	sqlite3_bind_int64(stmt, 1, at->model_id);
	statement_bind_text(stmt, 2, out->name);
	sqlite3_bind_int64(stmt, 3, at->mark);
	return find(stmt, kept, out, found, e);
}

/* A state that has moved on at the mark or later was the one then; else the live state is, if it is as old. */
static int
find_named(struct backend *b, const struct model_at *at, struct state_row *out, bool *found, struct err *e)
{
	if (find_in(b, true, at, out, found, e) < 0)
		return -1;
	return *found ? 0 : find_in(b, false, at, out, found, e);
}

int
sqlite_find_row(
    struct backend *b, const struct model_at *at, const char *layer, struct state_row *out, bool *found, struct err *e)
{
	*out = (struct state_row){ 0 };
	memcpy(out->name, layer, strnlen(layer, STORE_NAME_MAX));
	return find_named(b, at, out, found, e);
}

/* Above the names of all layers, which are ASCII. */
#define ABOVE_NAMES "\x7f"

/* Names between two others, without both. */
struct range {
	char after[STORE_NAME_MAX + 1], below[STORE_NAME_MAX + 1];
};

/* Lets a range end at the first name above its beginning that has states which have moved on, or at ABOVE_NAMES. */
static int
end_at_kept(struct backend *b, const struct model_at *at, struct range *r, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_NEXT_KEPT);
	int rc, result = 0;

	memcpy(r->below, ABOVE_NAMES, sizeof(ABOVE_NAMES));
	sqlite3_bind_int64(stmt, 1, at->model_id);
	statement_bind_text(stmt, 2, r->after);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		result = copy_name(stmt, 0, r->below, e);
	return statement_end(stmt, rc, result, e);
}

/* The first live state of a range that is as old as the mark. */
static int
find_live(struct backend *b, const struct model_at *at, const struct range *r, struct state_row *out, bool *found,
    struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_NEXT_LIVE);

	sqlite3_bind_int64(stmt, 1, at->model_id);
	statement_bind_text(stmt, 2, r->after);
	statement_bind_text(stmt, 3, r->below);
	sqlite3_bind_int64(stmt, 4, at->mark);
	return find(stmt, false, out, found, e);
}

/*
 * A name may have a state that has moved on for each of many versions, so these are not read row by row, but by names.
 * A model may also have many layers that a version has not, so live states are looked at only up to the next such name:
 * each once on the way through.
 */
int
sqlite_next_row(
    struct backend *b, const struct model_at *at, const char *after, struct state_row *out, bool *found, struct err *e)
{
	struct range r = { 0 };

	snprintf(r.after, sizeof(r.after), "%s", after); /* first: it may be in *out */
	*out = (struct state_row){ 0 };
	do {
		if (end_at_kept(b, at, &r, e) < 0 || find_live(b, at, &r, out, found, e) < 0)
			return -1;
		if (*found || strcmp(r.below, ABOVE_NAMES) == 0)
			return 0;
		memcpy(out->name, r.below, sizeof(r.below));
		if (find_named(b, at, out, found, e) < 0)
			return -1;
		memcpy(r.after, r.below, sizeof(r.below));
	} while (!*found);
	return 0;
}

int
sqlite_load_row(struct backend *b, const struct model_at *at, const struct state_row *row, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, row->kept ? STATEMENT_LOAD_KEPT : STATEMENT_LOAD_LIVE);
	int result;

	*out = NULL;
	if (budget_ask(memory, LOAD_COPIES * row->bytes, e) < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, row->id);
	result = load(b, stmt, &(struct names){ at->model, row->name, at, row->live }, out, e);
	budget_give(memory, (LOAD_COPIES - (*out != NULL)) * row->bytes);
	return result;
}
