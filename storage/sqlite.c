/* SPDX-License-Identifier: MIT */
/* The SQLite backend: one connection, used by the store's thread alone. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/names.h"
#include "storage/sqlite_backend.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_history.h"
#include "storage/sqlite_kept.h"
#include "storage/sqlite_keys.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_serving.h"
#include "storage/sqlite_sources.h"
#include "storage/sqlite_states.h"
#include "storage/sqlite_versions.h"
#include "storage/sqlite_windows.h"

static bool
sqlite_in_transaction(struct backend *b)
{
	return !sqlite3_get_autocommit(sqlite_self(b)->db);
}

/*
 * When its cache is full SQLite writes pages to the log before the commit, and a page that it writes again replaces the
 * first in its place there: their checksums are made anew at the commit, from the first replaced page on. Up to 3.49,
 * ROLLBACK TO drops the pages that were written since the mark, but still makes checksums from a replaced one of them
 * on. The pages that the commit writes before that place have none, so a recovery ignores them and all that is
 * committed later. Therefore the cache grows from a mark on, until it is taken back, and nothing is written in between.
 * (cache_spill=OFF would have no effect within a transaction; a number of pages has.)
 */
static int
keep_pages(struct sqlite_backend *self, bool keep, struct err *e)
{
	if (self->keeps_pages == keep)
		return 0;
	if (sqlite_run(self->db, keep ? "PRAGMA cache_spill=2147483647" : "PRAGMA cache_spill=1", e) < 0)
		return -1;
	self->keeps_pages = keep;
	return 0;
}

static int
sqlite_begin(struct backend *b, const struct batch_plan *plan, struct err *e)
{
	(void)plan;
	/* A transaction that could not be rolled back must not become part of this one. */
	if (sqlite_in_transaction(b) && statement_run(sqlite_statement(b, STATEMENT_ROLLBACK), e) < 0)
		return -1;
	/* The one before may have ended at a mark. */
	if (keep_pages(sqlite_self(b), false, e) < 0)
		return -1;
	return sqlite_place_check(&sqlite_self(b)->place, e) < 0 ?
	    -1 :
	    statement_run(sqlite_statement(b, STATEMENT_BEGIN), e);
}

/* The statement is prepared, so it needs no memory. */
static void
sqlite_rollback(struct backend *b)
{
	struct err ignored;

	sqlite_keys_forget_range(&sqlite_self(b)->keys);
	if (sqlite_in_transaction(b) && statement_run(sqlite_statement(b, STATEMENT_ROLLBACK), &ignored) < 0)
		return; /* the next begin tries again */
}

static int
sqlite_mark(struct backend *b, struct err *e)
{
	if (keep_pages(sqlite_self(b), true, e) < 0)
		return -1;
	return statement_run(sqlite_statement(b, STATEMENT_MARK), e);
}

static int
sqlite_unmark(struct backend *b, bool back, struct err *e)
{
	if (back && statement_run(sqlite_statement(b, STATEMENT_BACK_TO_MARK), e) < 0)
		return -1;
	if (statement_run(sqlite_statement(b, STATEMENT_UNMARK), e) < 0)
		return -1;
	return keep_pages(sqlite_self(b), false, e);
}

/*
 * When the flush fails, the whole transaction is already in the log, with the mark of its commit. SQLite forgets it and
 * lets the next commit overwrite it. But if the process ended before that, recovery would take it for committed, after
 * its callers were told that it failed. So it is overwritten at once, before they are told. If the disk was full while
 * the log was written there is no such mark, because it comes last.
 */
static int
sqlite_commit(struct backend *b, struct err *e)
{
	struct sqlite_backend *self = sqlite_self(b);
	struct err ignored;
	size_t n;

	if (statement_run(self->statements[STATEMENT_COMMIT], e) == 0)
		return 0;
	if (sqlite3_errcode(self->db) == SQLITE_FULL)
		return -1;
	sqlite_rollback(b);
	if (sqlite_write_again(self->db, &ignored) < 0) {
		n = strlen(e->detail);
		snprintf(
		    e->detail + n, sizeof(e->detail) - n, "; whether it will be there after a restart is not known");
	}
	return -1;
}

static int
sqlite_try_write(struct backend *b, struct err *e)
{
	return sqlite_write_again(sqlite_self(b)->db, e);
}

static int
sqlite_model_exists(struct backend *b, const char *model, bool *exists, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_MODEL_EXISTS);
	int64_t one = 0;
	int result;

	statement_bind_text(stmt, 1, model);
	result = statement_int(stmt, &one, e);
	*exists = one != 0;
	return result;
}

static int
insert_state(struct backend *b, const struct store_write *write, int64_t now_s, struct inserted *out, struct err *e)
{
	sqlite3_stmt *insert = sqlite_statement(b, STATEMENT_INSERT_STATE),
		     *since = sqlite_statement(b, STATEMENT_SINCE);
	int64_t mark = 0;

	sqlite3_bind_int64(insert, 1, out->id);
	sqlite3_bind_int64(insert, 2, (sqlite3_int64)write->create.features);
	statement_bind_text(insert, 3, write->model);
	sqlite3_bind_int64(insert, 4, now_s);
	if (statement_run(insert, e) < 0)
		return -1;
	sqlite3_bind_int64(since, 1, out->id);
	if (statement_int(since, &mark, e) < 0)
		return -1;
	out->since = (uint64_t)mark;
	return 0;
}

static int
sqlite_insert(struct backend *b, const struct store_write *write, int64_t now_s, struct inserted *out, struct err *e)
{
	sqlite3_stmt *new_model = sqlite_statement(b, STATEMENT_INSERT_MODEL),
		     *new_layer = sqlite_statement(b, STATEMENT_INSERT_LAYER);

	statement_bind_text(new_model, 1, write->model);
	statement_bind_text(new_layer, 1, write->model);
	statement_bind_text(new_layer, 2, write->layer);
	statement_bind_text(new_layer, 3, write->create.definition);
	if (statement_run(new_model, e) < 0 || statement_run(new_layer, e) < 0)
		return -1;
	out->id = sqlite3_last_insert_rowid(sqlite_self(b)->db);
	return insert_state(b, write, now_s, out, e);
}

static int
save_parameters(sqlite3_stmt *stmt, const struct snapshot *layer, struct err *e)
{
	sqlite3_bind_int64(stmt, 1, layer->identity->id);
	if (statement_bind_doubles(stmt, 2, layer->weight.values, layer->weight.count, e) < 0 ||
	    statement_bind_doubles(stmt, 3, layer->bias.values, layer->bias.count, e) < 0)
		return -1;
	return statement_run(stmt, e);
}

static int
sqlite_save(struct backend *b, const struct snapshot *layer, bool parameters, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_SAVE_STATE);
	const struct statistics *s = &layer->statistics;

	sqlite3_bind_int64(stmt, 1, layer->identity->id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)layer->revision);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)s->features);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)s->num_batches_tracked);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)s->count);
	sqlite3_bind_double(stmt, 8, s->decayed_count);
	sqlite3_bind_int(stmt, 9, layer->frozen);
	sqlite3_bind_int64(stmt, 10, (sqlite3_int64)layer->sources);
	sqlite3_bind_int64(stmt, 11, layer->changed_s);
	sqlite3_bind_int64(stmt, 12, (sqlite3_int64)layer->since);
	if (statement_bind_doubles(stmt, 6, s->mean, s->features, e) < 0 ||
	    statement_bind_doubles(stmt, 7, s->var, s->features, e) < 0 || statement_run(stmt, e) < 0)
		return -1;
	return parameters ? save_parameters(sqlite_statement(b, STATEMENT_SAVE_PARAMETERS), layer, e) : 0;
}

static int
sqlite_delete_layer(struct backend *b, const struct layer_identity *layer, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_LAYER);

	if (sqlite_leave_history(b, layer, e) < 0)
		return -1;
	sqlite3_bind_int64(stmt, 1, layer->id);
	return statement_run(stmt, e);
}

static int
sqlite_delete_model(struct backend *b, const char *model, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_DELETE_MODEL);

	if (sqlite_leave_histories(b, model, e) < 0 || sqlite_leave_versions(b, model, e) < 0)
		return -1;
	statement_bind_text(stmt, 1, model);
	return statement_run(stmt, e);
}

static int
sqlite_freeze_model(struct backend *b, struct model_freeze *f, struct err *e)
{
	sqlite3_stmt *keep = sqlite_statement(b, STATEMENT_KEEP_MODEL),
		     *freeze = sqlite_statement(b, STATEMENT_FREEZE_MODEL),
		     *count = sqlite_statement(b, STATEMENT_COUNT_LAYERS);
	int64_t n = 0;

	statement_bind_text(keep, 1, f->model);
	sqlite3_bind_int64(keep, 2, (sqlite3_int64)f->mark);
	sqlite3_bind_int(keep, 3, f->frozen);
	if (statement_run(keep, e) < 0)
		return -1;
	statement_bind_text(freeze, 1, f->model);
	sqlite3_bind_int64(freeze, 2, (sqlite3_int64)f->mark);
	sqlite3_bind_int(freeze, 3, f->frozen);
	if (statement_run(freeze, e) < 0)
		return -1;
	statement_bind_text(count, 1, f->model);
	if (statement_int(count, &n, e) < 0)
		return -1;
	f->layers = (uint64_t)n;
	return 0;
}

/* One row: a layer's name, definition, revision, features, frozen; or a model's name, and what serves. */
static int
entry_from_row(sqlite3_stmt *row, void *out, struct err *e)
{
	struct store_entry *entry = out;
	const char *name = (const char *)sqlite3_column_text(row, 0), *definition;

	if (name == NULL)
		return err_fail_memory(e);
	memcpy(entry->name, name, strnlen(name, STORE_NAME_MAX));
	if (sqlite3_column_count(row) == 2) {
		entry->serving = (uint64_t)sqlite3_column_int64(row, 1);
		return 0;
	}
	definition = (const char *)sqlite3_column_text(row, 1);
	entry->definition = definition == NULL ? NULL : strdup(definition);
	entry->revision = (uint64_t)sqlite3_column_int64(row, 2);
	entry->features = (uint64_t)sqlite3_column_int64(row, 3);
	entry->frozen = sqlite3_column_int(row, 4) != 0;
	return entry->definition == NULL ? err_fail_memory(e) : 0;
}

/* Adds rows to the list's, up to its limit. */
static int
read_list(sqlite3_stmt *stmt, struct store_list *list, struct err *e)
{
	struct statement_list rows = { .limit = list->limit,
		.entry_bytes = sizeof(*list->entries),
		.entries = list->entries,
		.count = list->count };
	int result;

	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)(list->limit - list->count) + 1);
	result = statement_list(stmt, entry_from_row, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

static int
sqlite_list_layers(struct backend *b, struct store_list *list, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LIST_LAYERS);

	statement_bind_text(stmt, 1, list->model);
	statement_bind_text(stmt, 2, list->after != NULL ? list->after : "");
	return read_list(stmt, list, e);
}

static int
list_models_with(struct backend *b, struct store_list *list, const char *prefix, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_LIST_MODELS);
	struct names_range range;

	names_with_prefix(&range, prefix, list->after);
	statement_bind_text(stmt, 1, range.from);
	statement_bind_text(stmt, 2, range.to);
	return read_list(stmt, list, e);
}

static int
sqlite_list_models(struct backend *b, struct store_list *list, struct err *e)
{
	return backend_list_models(b, list, list_models_with, e);
}

static void
sqlite_close(struct backend *b)
{
	struct sqlite_backend *self = sqlite_self(b);

	sqlite_copy_drop(b);
	statements_finalize(self->statements);
	sqlite3_close(self->db);
	free(self->path);
	free(self);
}

static void
sqlite_measure(const struct backend *b, struct store_figures *out)
{
	sqlite_place_measure(&((const struct sqlite_backend *)b)->place, out);
}

static const struct backend_ops sqlite_ops = {
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.mark = sqlite_mark,
	.unmark = sqlite_unmark,
	.in_transaction = sqlite_in_transaction,
	.try_write = sqlite_try_write,
	.load = sqlite_load,
	.model_exists = sqlite_model_exists,
	.load_pointer = sqlite_load_pointer,
	.find_at = sqlite_find_at,
	.find_row = sqlite_find_row,
	.next_row = sqlite_next_row,
	.load_row = sqlite_load_row,
	.version_exists = sqlite_version_exists,
	.list_versions = sqlite_list_versions,
	.find_version_key = sqlite_find_version_key,
	.take_pin = sqlite_take_pin,
	.make_version = sqlite_make_version,
	.delete_version = sqlite_delete_version,
	.keep = sqlite_keep,
	.last_pin = sqlite_last_pin,
	.drop_pins = sqlite_drop_pins,
	.reclaim = sqlite_reclaim,
	.find_alias = sqlite_find_alias,
	.add_switch = sqlite_add_switch,
	.list_switches = sqlite_list_switches,
	.put_alias = sqlite_put_alias,
	.delete_alias = sqlite_delete_alias,
	.list_aliases = sqlite_list_aliases,
	.insert = sqlite_insert,
	.save = sqlite_save,
	.find_key = sqlite_find_key,
	.add_key = sqlite_add_key,
	.purge_keys = sqlite_purge_keys,
	.trim_keys = sqlite_trim_keys,
	.load_sources = sqlite_load_sources,
	.put_source = sqlite_put_source,
	.delete_source = sqlite_delete_source,
	.delete_sources = sqlite_delete_sources,
	.last_moment = sqlite_last_moment,
	.add_moment = sqlite_add_moment,
	.purge_history = sqlite_purge_history,
	.load_window = sqlite_load_window,
	.save_window = sqlite_save_window,
	.delete_layer = sqlite_delete_layer,
	.delete_model = sqlite_delete_model,
	.freeze_model = sqlite_freeze_model,
	.list_layers = sqlite_list_layers,
	.list_models = sqlite_list_models,
	.list_sources = sqlite_list_sources,
	.list_moments = sqlite_list_moments,
	.copy_start = sqlite_copy_start,
	.copy_step = sqlite_copy_step,
	.copy_drop = sqlite_copy_drop,
	.measure = sqlite_measure,
	.close = sqlite_close,
};

struct backend *
sqlite_backend_open(
    const char *path, const struct store_opening *opening, const struct identity_common *identities, struct err *e)
{
	struct sqlite_backend *self = calloc(1, sizeof(*self));

	if (self == NULL) {
		err_set_memory(e);
		return NULL;
	}
	self->backend.ops = &sqlite_ops;
	self->identities = identities;
	self->path = strdup(path);
	if (self->path == NULL) {
		err_set_memory(e);
		goto fail;
	}
	self->db = sqlite_open(path, opening, e);
	if (self->db == NULL)
		goto fail;
	sqlite_place_init(&self->place, path);
	if (statements_prepare(self->db, self->statements, e) < 0)
		goto fail;
	return &self->backend;
fail:
	sqlite_close(&self->backend);
	return NULL;
}
