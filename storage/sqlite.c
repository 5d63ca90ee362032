/*
 * The SQLite backend: prepared statements over one connection, used by the store's thread alone.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "storage/backend.h"
#include "storage/layer.h"
#include "storage/sqlite_copy.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_place.h"

/* X(name, sql) */
#define STATEMENTS(X) \
	X(BEGIN, "BEGIN IMMEDIATE") \
	X(COMMIT, "COMMIT") \
	X(ROLLBACK, "ROLLBACK") \
	X(LOAD, \
	    "SELECT l.id, l.definition, s.revision, s.features, s.num_batches_tracked, s.count, s.running_mean, " \
	    "s.running_var," \
	    " p.weight, p.bias FROM model m JOIN layer l ON l.model_id = m.id JOIN state s ON s.layer_id = l.id" \
	    " LEFT JOIN parameters p ON p.layer_id = l.id WHERE m.name = ?1 AND l.name = ?2") \
	X(MODEL_EXISTS, "SELECT 1 FROM model WHERE name = ?1") \
	X(INSERT_MODEL, "INSERT INTO model(name) VALUES(?1) ON CONFLICT DO NOTHING") \
	X(INSERT_LAYER, "INSERT INTO layer(model_id, name, definition) SELECT id, ?2, ?3 FROM model WHERE name = ?1") \
	X(INSERT_STATE, "INSERT INTO state(layer_id, revision, features, num_batches_tracked, count) VALUES(?1, 0, ?2, 0, 0)") \
	X(SAVE_STATE, \
	    "UPDATE state SET revision = ?2, features = ?3, num_batches_tracked = ?4, count = ?5, running_mean = ?6," \
	    " running_var = ?7 WHERE layer_id = ?1") \
	X(SAVE_PARAMETERS, \
	    "INSERT INTO parameters(layer_id, weight, bias) VALUES(?1, ?2, ?3)" \
	    " ON CONFLICT DO UPDATE SET weight = excluded.weight, bias = excluded.bias") \
	X(FIND_KEY, \
	    "SELECT digest, revision, num_batches_tracked FROM idempotency WHERE layer_id = ?1 AND key = ?2 AND created_s >= " \
	    "?3") \
	X(ADD_KEY, \
	    "INSERT OR REPLACE INTO idempotency(layer_id, key, digest, revision, num_batches_tracked, created_s)" \
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)") \
	/* Looks at the oldest ones alone: where none is due, that is one row. */ \
	X(OLDEST_KEY, "SELECT created_s FROM idempotency ORDER BY id LIMIT 1") \
	X(PURGE_KEYS, \
	    "DELETE FROM idempotency WHERE id IN" \
	    " (SELECT id FROM (SELECT id, created_s FROM idempotency ORDER BY id LIMIT ?2) WHERE created_s < ?1)") \
	X(DELETE_LAYER, "DELETE FROM layer WHERE id = ?1") \
	X(DELETE_MODEL, "DELETE FROM model WHERE name = ?1") \
	X(LIST_LAYERS, \
	    "SELECT l.name, l.definition, s.revision, s.features FROM model m JOIN layer l ON l.model_id = m.id" \
	    " JOIN state s ON s.layer_id = l.id WHERE m.name = ?1 AND l.name > ?2 ORDER BY l.name LIMIT ?3") \
	X(LIST_MODELS, "SELECT name FROM model WHERE name > ?2 ORDER BY name LIMIT ?3")

enum statement {
#define STATEMENT_ENUM(name, sql) STATEMENT_##name,
	STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
	    STATEMENT_COUNT
};

static const char *const statement_sql[STATEMENT_COUNT] = {
#define STATEMENT_SQL(name, sql) [STATEMENT_##name] = sql,
	STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

struct sqlite_backend {
	struct backend backend; /* first */
	const struct store_definition_ops *definitions;
	sqlite3 *db;
	struct sqlite_place place;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	char *path;
	struct sqlite_copy copy;
};

static struct sqlite_backend *
self_of(struct backend *b)
{
	return (struct sqlite_backend *)b;
}

static int
failed(struct sqlite_backend *self, struct err *e)
{
	return sqlite_failed(self->db, "the database", e);
}

/* Steps a statement that gives no row, and makes it ready for its next use. */
static int
run(struct sqlite_backend *self, enum statement which, struct err *e)
{
	sqlite3_stmt *stmt = self->statements[which];
	int result = sqlite3_step(stmt) == SQLITE_DONE ? 0 : failed(self, e);

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return result;
}

/* Ends a query: `rc` is its last step's result. */
static int
end_query(struct sqlite_backend *self, enum statement which, int rc, struct err *e)
{
	sqlite3_stmt *stmt = self->statements[which];
	int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : failed(self, e);

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return result;
}

static void
bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

/* NULL values bind SQL's NULL. The blob is SQLite's to free. */
static int
bind_doubles(struct sqlite_backend *self, sqlite3_stmt *stmt, int i, const double *values, size_t n, struct err *e)
{
	unsigned char *bytes;

	if (values == NULL)
		return 0;
	bytes = sqlite3_malloc64(8 * n + 1);
	if (bytes == NULL)
		return err_set_memory(e);
	bytes_put_doubles(bytes, values, n);
	return sqlite3_bind_blob64(stmt, i, bytes, 8 * n, sqlite3_free) == SQLITE_OK ? 0 : failed(self, e);
}

/* Reads a blob column into a malloc'ed list; NULL stays NULL. */
static int
column_doubles(sqlite3_stmt *stmt, int column, double **values, size_t *n, struct err *e)
{
	const void *blob = sqlite3_column_blob(stmt, column);

	*n = (size_t)sqlite3_column_bytes(stmt, column) / 8;
	*values = NULL;
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return 0;
	*values = malloc(*n * sizeof(**values) + 1);
	if (*values == NULL)
		return err_set_memory(e);
	bytes_get_doubles(*values, blob, *n);
	return 0;
}

static bool
sqlite_in_transaction(struct backend *b)
{
	return !sqlite3_get_autocommit(self_of(b)->db);
}

static int
sqlite_begin(struct backend *b, struct err *e)
{
	/* One that could not be rolled back when it failed must not become part of this one. */
	if (sqlite_in_transaction(b) && run(self_of(b), STATEMENT_ROLLBACK, e) < 0)
		return -1;
	return sqlite_place_check(&self_of(b)->place, e) < 0 ? -1 : run(self_of(b), STATEMENT_BEGIN, e);
}

/* By a statement that is prepared, for which there is memory already. */
static void
sqlite_rollback(struct backend *b)
{
	struct err ignored;

	if (sqlite_in_transaction(b))
		(void)run(self_of(b), STATEMENT_ROLLBACK, &ignored);
}

/*
 * When the flush fails the whole transaction is in the log already, the mark of its commit too. SQLite forgets it, and the next commit
 * takes its place; but if the process ended before that, recovery would find it and take it for committed, after its callers were told
 * that it failed. So its place is taken at once, before anybody is told. A disk that was full while the log was written has no
 * such mark, for that comes last.
 */
static int
sqlite_commit(struct backend *b, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	struct err ignored;
	size_t n;

	if (run(self, STATEMENT_COMMIT, e) == 0)
		return 0;
	if (sqlite3_errcode(self->db) == SQLITE_FULL)
		return -1;
	sqlite_rollback(b);
	if (sqlite_overwrite_failed(self->db, &ignored) < 0) {
		n = strlen(e->detail);
		snprintf(e->detail + n, sizeof(e->detail) - n, "; whether it will be there after a restart is not known");
	}
	return -1;
}

static int
layer_from_row(struct sqlite_backend *self, sqlite3_stmt *row, const char *model, const char *name, const struct layer **out,
    struct err *e)
{
	struct statistics s = {
		.features = (size_t)sqlite3_column_int64(row, 3),
		.num_batches_tracked = (uint64_t)sqlite3_column_int64(row, 4),
		.count = (uint64_t)sqlite3_column_int64(row, 5),
	};
	const char *definition = (const char *)sqlite3_column_text(row, 1);
	double *weight = NULL, *bias = NULL;
	size_t mean_count, var_count, weight_count, bias_count;
	struct layer_identity *identity;
	int result = -1;

	if (definition == NULL)
		return err_set_memory(e);
	identity = layer_identity_new(sqlite3_column_int64(row, 0), model, name, definition, self->definitions, e);
	if (identity == NULL || column_doubles(row, 6, &s.mean, &mean_count, e) < 0 ||
	    column_doubles(row, 7, &s.var, &var_count, e) < 0 || column_doubles(row, 8, &weight, &weight_count, e) < 0 ||
	    column_doubles(row, 9, &bias, &bias_count, e) < 0)
		goto out;
	if ((s.mean != NULL && mean_count != s.features) || (s.var != NULL && var_count != s.features) ||
	    (s.mean == NULL) != (s.var == NULL)) {
		(void)err_set(e, ERR_STORAGE_UNAVAILABLE, "the stored statistics of layer \"%s\" of model \"%s\" are damaged",
		    name, model);
		goto out;
	}
	*out = layer_new(identity, (uint64_t)sqlite3_column_int64(row, 2), &s, (struct store_vector){ weight, weight_count },
	    (struct store_vector){ bias, bias_count });
	result = *out == NULL ? err_set_memory(e) : 0;
out:
	layer_identity_unref(identity);
	free(s.mean);
	free(s.var);
	free(weight);
	free(bias);
	return result;
}

static int
sqlite_load(struct backend *b, const char *model, const char *layer, const struct layer **out, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *stmt = self->statements[STATEMENT_LOAD];
	int rc, result = 0;

	*out = NULL;
	bind_text(stmt, 1, model);
	bind_text(stmt, 2, layer);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		result = layer_from_row(self, stmt, model, layer, out, e);
	return result < 0 ? (end_query(self, STATEMENT_LOAD, SQLITE_DONE, e), -1) : end_query(self, STATEMENT_LOAD, rc, e);
}

static int
sqlite_model_exists(struct backend *b, const char *model, bool *exists, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *stmt = self->statements[STATEMENT_MODEL_EXISTS];
	int rc;

	bind_text(stmt, 1, model);
	rc = sqlite3_step(stmt);
	*exists = rc == SQLITE_ROW;
	return end_query(self, STATEMENT_MODEL_EXISTS, rc, e);
}

static int
sqlite_insert(struct backend *b, const char *model, const char *layer, const char *definition, size_t features, int64_t *id,
    struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *stmt = self->statements[STATEMENT_INSERT_LAYER];

	bind_text(self->statements[STATEMENT_INSERT_MODEL], 1, model);
	bind_text(stmt, 1, model);
	bind_text(stmt, 2, layer);
	bind_text(stmt, 3, definition);
	if (run(self, STATEMENT_INSERT_MODEL, e) < 0 || run(self, STATEMENT_INSERT_LAYER, e) < 0)
		return -1;
	*id = sqlite3_last_insert_rowid(self->db);
	sqlite3_bind_int64(self->statements[STATEMENT_INSERT_STATE], 1, *id);
	sqlite3_bind_int64(self->statements[STATEMENT_INSERT_STATE], 2, (sqlite3_int64)features);
	return run(self, STATEMENT_INSERT_STATE, e);
}

static int
save_parameters(struct sqlite_backend *self, const struct layer *layer, struct err *e)
{
	sqlite3_stmt *stmt = self->statements[STATEMENT_SAVE_PARAMETERS];

	sqlite3_bind_int64(stmt, 1, layer->identity->id);
	if (bind_doubles(self, stmt, 2, layer->weight.values, layer->weight.count, e) < 0 ||
	    bind_doubles(self, stmt, 3, layer->bias.values, layer->bias.count, e) < 0)
		return -1;
	return run(self, STATEMENT_SAVE_PARAMETERS, e);
}

static int
sqlite_save(struct backend *b, const struct layer *layer, bool parameters, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *stmt = self->statements[STATEMENT_SAVE_STATE];
	const struct statistics *s = &layer->statistics;

	sqlite3_bind_int64(stmt, 1, layer->identity->id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)layer->revision);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)s->features);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)s->num_batches_tracked);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)s->count);
	if (bind_doubles(self, stmt, 6, s->mean, s->features, e) < 0 ||
	    bind_doubles(self, stmt, 7, s->var, s->features, e) < 0 || run(self, STATEMENT_SAVE_STATE, e) < 0)
		return -1;
	return parameters ? save_parameters(self, layer, e) : 0;
}

static int
sqlite_find_key(
    struct backend *b, int64_t layer_id, const char *key, int64_t since_s, struct used_key *out, bool *found, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *stmt = self->statements[STATEMENT_FIND_KEY];
	int rc, result;

	sqlite3_bind_int64(stmt, 1, layer_id);
	bind_text(stmt, 2, key);
	sqlite3_bind_int64(stmt, 3, since_s);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found && sqlite3_column_bytes(stmt, 0) == DIGEST_BYTES) {
		memcpy(out->digest, sqlite3_column_blob(stmt, 0), DIGEST_BYTES);
		out->revision = (uint64_t)sqlite3_column_int64(stmt, 1);
		out->num_batches_tracked = (uint64_t)sqlite3_column_int64(stmt, 2);
	} else if (*found) {
		result = err_set(e, ERR_STORAGE_UNAVAILABLE, "a stored idempotency key is damaged");
		(void)end_query(self, STATEMENT_FIND_KEY, rc, e);
		return result;
	}
	return end_query(self, STATEMENT_FIND_KEY, rc, e);
}

static int
sqlite_add_key(struct backend *b, int64_t layer_id, const char *key, const struct used_key *used, int64_t now_s, struct err *e)
{
	sqlite3_stmt *stmt = self_of(b)->statements[STATEMENT_ADD_KEY];

	sqlite3_bind_int64(stmt, 1, layer_id);
	bind_text(stmt, 2, key);
	sqlite3_bind_blob(stmt, 3, used->digest, DIGEST_BYTES, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)used->revision);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)used->num_batches_tracked);
	sqlite3_bind_int64(stmt, 6, now_s);
	return run(self_of(b), STATEMENT_ADD_KEY, e);
}

static int
sqlite_purge_keys(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e)
{
	struct sqlite_backend *self = self_of(b);
	sqlite3_stmt *oldest = self->statements[STATEMENT_OLDEST_KEY], *purge = self->statements[STATEMENT_PURGE_KEYS];
	int rc = sqlite3_step(oldest);
	bool due = rc == SQLITE_ROW && sqlite3_column_int64(oldest, 0) < since_s;

	*purged = 0;
	if (end_query(self, STATEMENT_OLDEST_KEY, rc, e) < 0)
		return -1;
	if (!due)
		return 0;
	sqlite3_bind_int64(purge, 1, since_s);
	sqlite3_bind_int64(purge, 2, (sqlite3_int64)limit);
	if (run(self, STATEMENT_PURGE_KEYS, e) < 0)
		return -1;
	*purged = (size_t)sqlite3_changes64(self->db);
	return 0;
}

static int
sqlite_delete_layer(struct backend *b, int64_t id, struct err *e)
{
	sqlite3_bind_int64(self_of(b)->statements[STATEMENT_DELETE_LAYER], 1, id);
	return run(self_of(b), STATEMENT_DELETE_LAYER, e);
}

static int
sqlite_delete_model(struct backend *b, const char *model, struct err *e)
{
	bind_text(self_of(b)->statements[STATEMENT_DELETE_MODEL], 1, model);
	return run(self_of(b), STATEMENT_DELETE_MODEL, e);
}

/* One row: name, and for layers definition, revision, features. */
static int
entry_from_row(sqlite3_stmt *row, struct store_entry *entry, struct err *e)
{
	const char *name = (const char *)sqlite3_column_text(row, 0), *definition;

	if (name == NULL)
		return err_set_memory(e);
	memcpy(entry->name, name, strnlen(name, STORE_NAME_MAX));
	if (sqlite3_column_count(row) == 1)
		return 0;
	definition = (const char *)sqlite3_column_text(row, 1);
	entry->definition = definition == NULL ? NULL : strdup(definition);
	entry->revision = (uint64_t)sqlite3_column_int64(row, 2);
	entry->features = (uint64_t)sqlite3_column_int64(row, 3);
	return entry->definition == NULL ? err_set_memory(e) : 0;
}

/* Asks for one row more than the limit, to know whether there are more. */
static int
list(struct sqlite_backend *self, enum statement which, struct store_op *op, struct err *e)
{
	sqlite3_stmt *stmt = self->statements[which];
	int rc = SQLITE_DONE, result = 0;

	op->entries = calloc(op->limit, sizeof(*op->entries));
	if (op->entries == NULL)
		return err_set_memory(e);
	bind_text(stmt, 2, op->after != NULL ? op->after : "");
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)op->limit + 1);
	while (result == 0 && op->entry_count < op->limit && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		result = entry_from_row(stmt, &op->entries[op->entry_count++], e);
	if (result == 0 && rc == SQLITE_ROW)
		op->more = (rc = sqlite3_step(stmt)) == SQLITE_ROW;
	return result < 0 ? (end_query(self, which, SQLITE_DONE, e), -1) : end_query(self, which, rc, e);
}

static int
sqlite_list_layers(struct backend *b, struct store_op *op, struct err *e)
{
	bind_text(self_of(b)->statements[STATEMENT_LIST_LAYERS], 1, op->model);
	return list(self_of(b), STATEMENT_LIST_LAYERS, op, e);
}

static int
sqlite_list_models(struct backend *b, struct store_op *op, struct err *e)
{
	return list(self_of(b), STATEMENT_LIST_MODELS, op, e);
}

static int
sqlite_start_copy(struct backend *b, int *descriptor, struct err *e)
{
	return sqlite_copy_start(&self_of(b)->copy, self_of(b)->db, self_of(b)->path, descriptor, e);
}

static int
sqlite_step_copy(struct backend *b, uint64_t *bytes, struct err *e)
{
	return sqlite_copy_step(&self_of(b)->copy, bytes, e);
}

static void
sqlite_drop_copy(struct backend *b)
{
	sqlite_copy_drop(&self_of(b)->copy);
}

static void
sqlite_close(struct backend *b)
{
	struct sqlite_backend *self = self_of(b);

	sqlite_copy_drop(&self->copy);
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(self->statements[i]);
	sqlite3_close(self->db);
	free(self->path);
	free(self);
}

static const struct backend_ops sqlite_ops = {
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.in_transaction = sqlite_in_transaction,
	.load = sqlite_load,
	.model_exists = sqlite_model_exists,
	.insert = sqlite_insert,
	.save = sqlite_save,
	.find_key = sqlite_find_key,
	.add_key = sqlite_add_key,
	.purge_keys = sqlite_purge_keys,
	.delete_layer = sqlite_delete_layer,
	.delete_model = sqlite_delete_model,
	.list_layers = sqlite_list_layers,
	.list_models = sqlite_list_models,
	.copy_start = sqlite_start_copy,
	.copy_step = sqlite_step_copy,
	.copy_drop = sqlite_drop_copy,
	.close = sqlite_close,
};

struct backend *
sqlite_backend_open(const char *path, const struct store_definition_ops *definitions, struct err *e)
{
	struct sqlite_backend *self = calloc(1, sizeof(*self));

	if (self == NULL) {
		(void)err_set_memory(e);
		return NULL;
	}
	self->backend.ops = &sqlite_ops;
	self->definitions = definitions;
	self->path = strdup(path);
	if (self->path == NULL) {
		(void)err_set_memory(e);
		goto fail;
	}
	self->db = sqlite_open(path, e);
	if (self->db == NULL)
		goto fail;
	sqlite_place_init(&self->place, path);
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(self->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) !=
		    SQLITE_OK) {
			(void)failed(self, e);
			goto fail;
		}
	return &self->backend;
fail:
	sqlite_close(&self->backend);
	return NULL;
}
