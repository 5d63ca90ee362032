/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend's prepared statements: their SQL, and how they are bound, stepped and read. Parameters are bound
 * by their number in the SQL. Bound text must last until the statement is run or ended.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A layer's state as it is, and as it was. LOAD and its like read these columns. */
#define LIVE_COLUMNS \
	"l.id, l.definition, s.revision, s.features, s.num_batches_tracked, s.count, s.running_mean, s.running_var," \
	" p.weight, p.bias, s.decayed_count, s.frozen, s.sources, s.changed_s, s.since"
#define KEPT_COLUMNS \
	"layer_id, definition, revision, features, num_batches_tracked, count, running_mean, running_var," \
	" weight, bias, decayed_count, frozen, sources, changed_s, first"
#define LIVE_BYTES \
	"coalesce(length(s.running_mean), 0) + coalesce(length(s.running_var), 0)" \
	" + coalesce(length(p.weight), 0) + coalesce(length(p.bias), 0)"
#define KEPT_BYTES \
	"coalesce(length(running_mean), 0) + coalesce(length(running_var), 0)" \
	" + coalesce(length(weight), 0) + coalesce(length(bias), 0)"
#define STATE_OF_LAYER "JOIN state s ON s.layer_id = l.id LEFT JOIN parameters p ON p.layer_id = l.id"
#define LIVE_ROWS "layer l ON l.model_id = m.id " STATE_OF_LAYER

/* Keeps states that a version or a pin has: those of layers of a model `m`, with ?2 for its mark. */
#define KEEP \
	"INSERT INTO kept(" KEPT_COLUMNS ", model_id, name, last) SELECT " LIVE_COLUMNS ", m.id, l.name, ?2" \
	" FROM model m JOIN " LIVE_ROWS
#define IS_IN_USE \
	" AND s.since <= ?2 AND EXISTS(SELECT 1 FROM version v WHERE v.model_id = m.id AND v.gone = 0" \
	" AND v.mark BETWEEN s.since AND ?2)"

/* What is read of a version. */
#define VERSION_COLUMNS "v.number, v.created_s, v.digest, v.note"
#define VERSIONS_OF_MODEL " FROM model m JOIN version v ON v.model_id = m.id WHERE m.name = ?1"

/* The first ?5 versions of a gap (sqlite_kept.c). */
#define FIRST_IN_GAP \
	"SELECT id FROM version WHERE gone = 1 AND model_id = ?1 AND mark > ?2 AND mark < ?3 ORDER BY mark LIMIT ?5"

/* X(name, sql) */
#define STATEMENTS(X) \
	X(BEGIN, "BEGIN IMMEDIATE") \
	X(COMMIT, "COMMIT") \
	X(ROLLBACK, "ROLLBACK") \
	X(MARK, "SAVEPOINT mark") \
	X(BACK_TO_MARK, "ROLLBACK TO mark") \
	X(UNMARK, "RELEASE mark") \
	X(LOAD, "SELECT " LIVE_COLUMNS " FROM model m JOIN " LIVE_ROWS " WHERE m.name = ?1 AND l.name = ?2") \
	/* Lengths are in a row's head: the lists themselves are not read. */ \
	X(LOAD_BYTES, "SELECT " LIVE_BYTES " FROM model m JOIN " LIVE_ROWS " WHERE m.name = ?1 AND l.name = ?2") \
	X(MODEL_EXISTS, "SELECT 1 FROM model WHERE name = ?1") \
	X(LOAD_SERVING, \
	    "SELECT coalesce((SELECT to_number FROM serving WHERE model_id = m.id ORDER BY id DESC LIMIT 1), 0)," \
	    " coalesce((SELECT mark FROM numbers WHERE model = m.name), 0) FROM model m WHERE m.name = ?1") \
	X(LOAD_ALIAS, \
	    "SELECT a.number, 0 FROM model m JOIN alias a ON a.model_id = m.id WHERE m.name = ?1 AND a.name = ?2") \
	X(VERSION_EXISTS, \
	    "SELECT 1 FROM model m JOIN version v ON v.model_id = m.id WHERE m.name = ?1 AND v.number = ?2" \
	    " AND v.gone = 0") \
	X(ADD_SWITCH, \
	    "INSERT INTO serving(model_id, time_s, from_number, to_number, note)" \
	    " SELECT id, ?2, ?3, ?4, ?5 FROM model WHERE name = ?1") \
	X(LIST_SWITCHES, \
	    "SELECT s.id, s.time_s, s.from_number, s.to_number, s.note FROM model m JOIN serving s" \
	    " ON s.model_id = m.id WHERE m.name = ?1 AND s.id < ?2 ORDER BY s.id DESC LIMIT ?3") \
	X(PUT_ALIAS, \
	    "INSERT OR REPLACE INTO alias(model_id, name, number) SELECT id, ?2, ?3 FROM model WHERE name = ?1") \
	X(DELETE_ALIAS, "DELETE FROM alias WHERE model_id = (SELECT id FROM model WHERE name = ?1) AND name = ?2") \
	X(LIST_ALIASES, \
	    "SELECT a.name, a.number FROM model m JOIN alias a ON a.model_id = m.id" \
	    " WHERE m.name = ?1 AND a.name > ?2 ORDER BY a.name LIMIT ?3") \
	X(ALIAS_OF, \
	    "SELECT a.name, a.number FROM model m JOIN alias a ON a.model_id = m.id" \
	    " WHERE m.name = ?1 AND a.number = ?2 ORDER BY a.name LIMIT 1") \
	/* A model at a mark: its id and the mark. The greatest mark is that of what is live. */ \
	X(AT_LIVE, "SELECT id, 9223372036854775807 FROM model WHERE name = ?1") \
	X(AT_VERSION, "SELECT v.model_id, v.mark, v.digest" VERSIONS_OF_MODEL " AND v.number = ?2 AND v.gone = 0") \
	X(AT_PIN, "SELECT v.model_id, v.mark" VERSIONS_OF_MODEL " AND v.id = ?2 AND v.gone = 0") \
	X(NEXT_LIVE, \
	    "SELECT l.id, s.since, " LIVE_BYTES ", l.name FROM layer l " STATE_OF_LAYER \
	    " WHERE l.model_id = ?1 AND l.name > ?2 AND l.name < ?3 AND s.since <= ?4 ORDER BY l.name LIMIT 1") \
	X(NEXT_KEPT, "SELECT name FROM kept WHERE model_id = ?1 AND name > ?2 ORDER BY name LIMIT 1") \
	X(FIND_LIVE, \
	    "SELECT l.id, s.since, " LIVE_BYTES " FROM layer l " STATE_OF_LAYER \
	    " WHERE l.model_id = ?1 AND l.name = ?2 AND s.since <= ?3") \
	/* No two rows of a name have a mark in common: the first that ends at the mark or later is the only one. */ \
	X(FIND_KEPT, \
	    "SELECT id, first, " KEPT_BYTES " FROM kept WHERE id =" \
	    " (SELECT id FROM kept WHERE model_id = ?1 AND name = ?2 AND last >= ?3 ORDER BY last LIMIT 1)" \
	    " AND first <= ?3") \
	X(LOAD_LIVE, "SELECT " LIVE_COLUMNS " FROM layer l " STATE_OF_LAYER " WHERE l.id = ?1") \
	X(LOAD_KEPT, "SELECT " KEPT_COLUMNS " FROM kept WHERE id = ?1") \
	X(KEEP_LAYER, KEEP " WHERE l.id = ?1" IS_IN_USE) \
	X(KEEP_MODEL, KEEP " WHERE m.name = ?1 AND s.frozen <> ?3" IS_IN_USE) \
	X(HAS_LAYERS, "SELECT EXISTS(SELECT 1 FROM layer WHERE model_id = m.id) FROM model m WHERE m.name = ?1") \
	X(RAISE_MARK, \
	    "INSERT INTO numbers(model, mark, number) VALUES(?1, 1, 0) ON CONFLICT DO UPDATE SET mark = mark + 1") \
	X(TAKE_PIN, \
	    "INSERT INTO version(model_id, mark, created_s) SELECT m.id, n.mark, ?2 FROM model m JOIN numbers n" \
	    " ON n.model = m.name WHERE m.name = ?1") \
	X(LAST_PIN, "SELECT coalesce(max(id), 0) FROM version") \
	X(DROP_PINS, "UPDATE version SET gone = 1 WHERE number IS NULL AND gone = 0 AND id BETWEEN ?1 AND ?2") \
	X(FIND_PIN, "SELECT 1" VERSIONS_OF_MODEL " AND v.id = ?2 AND v.number IS NULL AND v.gone = 0") \
	X(RAISE_NUMBER, "UPDATE numbers SET number = number + 1 WHERE model = ?1") \
	X(MAKE_VERSION, \
	    "UPDATE version SET number = (SELECT number FROM numbers WHERE model = ?1), note = ?3, digest = ?4," \
	    " key = ?5, key_digest = ?6 WHERE id = ?2") \
	X(MADE_VERSION, "SELECT " VERSION_COLUMNS " FROM version v WHERE v.id = ?1") \
	X(FIND_VERSION_KEY, \
	    "SELECT " VERSION_COLUMNS ", v.key_digest" VERSIONS_OF_MODEL " AND v.key = ?2 AND v.created_s >= ?3" \
	    " ORDER BY v.id DESC LIMIT 1") \
	X(GET_VERSION, "SELECT " VERSION_COLUMNS VERSIONS_OF_MODEL " AND v.number = ?2 AND v.gone = 0") \
	X(LIST_VERSIONS, \
	    "SELECT " VERSION_COLUMNS VERSIONS_OF_MODEL " AND v.number > ?2 AND v.gone = 0" \
	    " ORDER BY v.number LIMIT ?3") \
	X(DELETE_VERSION, \
	    "UPDATE version SET gone = 1 WHERE number = ?2 AND gone = 0 AND model_id =" \
	    " (SELECT id FROM model WHERE name = ?1)") \
	/* Models whose versions a chore deletes, and slices of what they have: up to ?4 states, up to ?5 versions. */ \
	X(LEAVE_VERSIONS, \
	    "INSERT INTO model_gone SELECT id FROM model m WHERE name = ?1" \
	    " AND EXISTS (SELECT 1 FROM version WHERE model_id = m.id)") \
	X(FIRST_LEFT_MODEL, "SELECT model_id FROM model_gone LIMIT 1") \
	X(KEPT_OF_MODEL, "SELECT id, " KEPT_BYTES " FROM kept WHERE model_id = ?1 LIMIT ?4") \
	X(DELETE_VERSIONS, "DELETE FROM version WHERE id IN (SELECT id FROM version WHERE model_id = ?1 LIMIT ?5)") \
	X(DELETE_LEFT_MODEL, "DELETE FROM model_gone WHERE model_id = ?1") \
	/* A gap between two marks in use has nothing but marks that are gone: rows within it are for no version. */ \
	X(FIRST_GONE, "SELECT model_id, mark FROM version WHERE gone = 1 ORDER BY model_id, mark LIMIT 1") \
	X(GAP_BEGIN, "SELECT coalesce(max(mark), -1) FROM version WHERE gone = 0 AND model_id = ?1 AND mark < ?2") \
	X(GAP_END, \
	    "SELECT coalesce(min(mark), 9223372036854775807) FROM version WHERE gone = 0 AND model_id = ?1" \
	    " AND mark > ?2") \
	X(NEXT_LAST, "SELECT coalesce(min(last), -1) FROM kept WHERE model_id = ?1 AND last > ?2 AND last < ?3") \
	X(UNNEEDED, "SELECT id, " KEPT_BYTES " FROM kept WHERE model_id = ?1 AND last = ?2 AND first > ?3 LIMIT ?4") \
	X(DELETE_KEPT, "DELETE FROM kept WHERE id = ?1") \
	/* Each looks at the first rows of a gap alone: it must not pass over all that the other one is for. */ \
	X(REMEMBER_GONE, \
	    "UPDATE version SET gone = 2 WHERE id IN (" FIRST_IN_GAP ") AND key IS NOT NULL AND created_s >= ?4") \
	X(FORGET_GONE, "DELETE FROM version WHERE id IN (" FIRST_IN_GAP ") AND (key IS NULL OR created_s < ?4)") \
	X(FORGET_REMEMBERED, \
	    "DELETE FROM version WHERE id IN" \
	    " (SELECT id FROM version WHERE gone = 2 AND created_s < ?1 LIMIT ?2)") \
	X(INSERT_MODEL, "INSERT INTO model(name) VALUES(?1) ON CONFLICT DO NOTHING") \
	X(INSERT_LAYER, "INSERT INTO layer(model_id, name, definition) SELECT id, ?2, ?3 FROM model WHERE name = ?1") \
	X(INSERT_STATE, \
	    "INSERT INTO state(layer_id, revision, features, num_batches_tracked, count, since, changed_s)" \
	    " VALUES(?1, 0, ?2, 0, 0, coalesce((SELECT mark FROM numbers WHERE model = ?3), 0) + 1, ?4)") \
	X(SINCE, "SELECT since FROM state WHERE layer_id = ?1") \
	X(SAVE_STATE, \
	    "UPDATE state SET revision = ?2, features = ?3, num_batches_tracked = ?4, count = ?5, running_mean = ?6," \
	    " running_var = ?7, decayed_count = ?8, frozen = ?9, sources = ?10, changed_s = ?11, since = ?12" \
	    " WHERE layer_id = ?1") \
	X(SAVE_PARAMETERS, \
	    "INSERT INTO parameters(layer_id, weight, bias) VALUES(?1, ?2, ?3)" \
	    " ON CONFLICT DO UPDATE SET weight = excluded.weight, bias = excluded.bias") \
	X(FIND_KEY, \
	    "SELECT digest, revision, num_batches_tracked FROM idempotency" \
	    " WHERE layer_id = ?1 AND key = ?2 AND created_s >= ?3") \
	X(ADD_KEY, \
	    "INSERT OR REPLACE INTO idempotency(layer_id, key, digest, revision, num_batches_tracked, created_s)" \
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)") \
	/* Looks at the oldest ones alone: where none is due, that is one row. */ \
	X(OLDEST_KEY, "SELECT created_s FROM idempotency ORDER BY id LIMIT 1") \
	X(PURGE_KEYS, \
	    "DELETE FROM idempotency WHERE id IN" \
	    " (SELECT id FROM (SELECT id, created_s FROM idempotency ORDER BY id LIMIT ?2) WHERE created_s < ?1)") \
	/* As two queries of one row each: min and max in one query read all. */ \
	X(KEY_RANGE, \
	    "SELECT coalesce((SELECT min(id) FROM idempotency), 0)," \
	    " coalesce((SELECT max(id) FROM idempotency) + 1, 0)") \
	X(YOUNGEST_KEY_BELOW, "SELECT created_s FROM idempotency WHERE id < ?1 ORDER BY id DESC LIMIT 1") \
	X(DELETE_KEYS_BELOW, "DELETE FROM idempotency WHERE id < ?1") \
	X(LOAD_SOURCES, "SELECT name, time_s, count, mean, var FROM source WHERE layer_id = ?1") \
	X(GET_SOURCE, \
	    "SELECT name, time_s, count, mean, var FROM source WHERE layer_id = ?1 AND name = ?2 AND name <> ''") \
	X(LIST_SOURCES, \
	    "SELECT name, time_s, count, mean, var FROM source WHERE layer_id = ?1 AND name > ?2" \
	    " ORDER BY name LIMIT ?3") \
	X(PUT_SOURCE, \
	    "INSERT INTO source(layer_id, name, time_s, count, mean, var) VALUES(?1, ?2, ?3, ?4, ?5, ?6)" \
	    " ON CONFLICT(layer_id, name) DO UPDATE SET time_s = ?3, count = ?4, mean = ?5, var = ?6") \
	X(DELETE_SOURCE, "DELETE FROM source WHERE layer_id = ?1 AND name = ?2") \
	X(DELETE_SOURCES, "DELETE FROM source WHERE layer_id = ?1") \
	/* A row from before the model's latest switch is as if it were not there. */ \
	X(LOAD_WINDOW, \
	    "SELECT coalesce(v.id, 0), coalesce(v.time_s, 0), w.since_s, w.count, w.mean, w.var FROM layer l" \
	    " LEFT JOIN serving v ON v.id = (SELECT max(id) FROM serving WHERE model_id = l.model_id)" \
	    " LEFT JOIN drift_window w ON w.layer_id = l.id AND w.switch = coalesce(v.id, 0) WHERE l.id = ?1") \
	X(SAVE_WINDOW, \
	    "INSERT INTO drift_window VALUES(?1, ?2, ?3, ?4, ?5, ?6)" \
	    " ON CONFLICT DO UPDATE SET switch = ?2, since_s = ?3, count = ?4, mean = ?5, var = ?6") \
	X(LAST_MOMENT, \
	    "SELECT number, time_s, revision FROM history WHERE layer_id = ?1 ORDER BY number DESC LIMIT 1") \
	X(ADD_MOMENT, "INSERT INTO history VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)") \
	X(DELETE_MOMENT, "DELETE FROM history WHERE layer_id = ?1 AND number = ?2") \
	/* Layers whose history a chore deletes, and a slice of it: up to ?2 rows. */ \
	X(LEAVE_HISTORY, \
	    "INSERT INTO history_gone SELECT ?1 WHERE EXISTS (SELECT 1 FROM history WHERE layer_id = ?1)") \
	X(LEAVE_HISTORIES, \
	    "INSERT INTO history_gone SELECT l.id FROM model m JOIN layer l ON l.model_id = m.id WHERE m.name = ?1" \
	    " AND EXISTS (SELECT 1 FROM history WHERE layer_id = l.id)") \
	X(FIRST_LEFT, "SELECT layer_id FROM history_gone LIMIT 1") \
	X(DELETE_MOMENTS, \
	    "DELETE FROM history WHERE layer_id = ?1 AND number <= coalesce(" \
	    "(SELECT number FROM history WHERE layer_id = ?1 ORDER BY number LIMIT 1 OFFSET ?2 - 1)," \
	    " 9223372036854775807)") \
	X(DELETE_LEFT, "DELETE FROM history_gone WHERE layer_id = ?1") \
	X(LIST_MOMENTS, \
	    "SELECT number, time_s, revision, num_batches_tracked, mean_min, mean_median, mean_max," \
	    " var_min, var_median, var_max, drift FROM history WHERE layer_id = ?1 AND number < ?2" \
	    " ORDER BY number DESC LIMIT ?3") \
	X(DELETE_LAYER, "DELETE FROM layer WHERE id = ?1") \
	X(DELETE_MODEL, "DELETE FROM model WHERE name = ?1") \
	/* changed_s stays: a history would lose when the statistics came to be so. */ \
	X(FREEZE_MODEL, \
	    "UPDATE state SET frozen = ?3, revision = revision + 1, since = ?2 + 1" \
	    " WHERE frozen <> ?3 AND layer_id IN" \
	    " (SELECT l.id FROM model m JOIN layer l ON l.model_id = m.id WHERE m.name = ?1)") \
	X(COUNT_LAYERS, "SELECT count(*) FROM model m JOIN layer l ON l.model_id = m.id WHERE m.name = ?1") \
	X(LIST_LAYERS, \
	    "SELECT l.name, l.definition, s.revision, s.features, s.frozen FROM model m JOIN layer l ON l.model_id = " \
	    "m.id" \
	    " JOIN state s ON s.layer_id = l.id WHERE m.name = ?1 AND l.name > ?2 ORDER BY l.name LIMIT ?3") \
	X(LIST_MODELS, \
	    "SELECT m.name," \
	    " coalesce((SELECT to_number FROM serving WHERE model_id = m.id ORDER BY id DESC LIMIT 1), 0)" \
	    " FROM model m WHERE m.name >= ?1 AND m.name < ?2 ORDER BY m.name LIMIT ?3")

enum statement {
#define STATEMENT_ENUM(name, sql) STATEMENT_##name,
	STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
	    STATEMENT_COUNT
};

/* Prepares all, which must be zeroed. After a failure they can be finalized. */
int statements_prepare(sqlite3 *db, sqlite3_stmt *statements[STATEMENT_COUNT], struct err *e) MUST_CHECK;
void statements_finalize(sqlite3_stmt *statements[STATEMENT_COUNT]);

/* Runs a statement without rows. It is ready for its next use then, also after a failure. */
int statement_run(sqlite3_stmt *stmt, struct err *e) MUST_CHECK;

/* Ends a query. `rc`: what its last step returned. `result`: 0, or -1 with `e` if one of its rows could not be read. */
int statement_end(sqlite3_stmt *stmt, int rc, int result, struct err *e) MUST_CHECK;

/* Runs a query of one row at most. *value: the whole number in its first column; without a row it stays as it is. */
int statement_int(sqlite3_stmt *stmt, int64_t *value, struct err *e) MUST_CHECK;

/* Reads a row into an entry, which is zeroed. -1 with `e`. */
typedef int statement_read(sqlite3_stmt *row, void *entry, struct err *e);

/* Rows as a list: up to `limit` entries of `entry_bytes` each. */
struct statement_list {
	size_t limit, entry_bytes;

	void *entries; /* malloc'ed; also after a failure: free them */
	size_t count;  /* the entries that are read, or begun */
	bool more;     /* there are rows after the last entry */
};

/* Runs a query that may give one row more than the limit, to know whether there are more. */
int statement_list(sqlite3_stmt *stmt, statement_read *read, struct statement_list *list, struct err *e) MUST_CHECK;

void statement_bind_text(sqlite3_stmt *stmt, int i, const char *text);

/*
 * A copy of `n` doubles, as a blob; NULL values leave SQL's NULL. After a failure the statement is ready for its next
 * use.
 */
int statement_bind_doubles(sqlite3_stmt *stmt, int i, const double *values, size_t n, struct err *e) MUST_CHECK;

/* A blob column, which must have `n` bytes; *out lasts until the next step. `damage`: the error's text if not. */
int statement_column_bytes(
    sqlite3_stmt *row, int column, size_t n, const char *damage, const unsigned char **out, struct err *e) MUST_CHECK;

/* Reads a blob column into a malloc'ed list of *n; NULL stays NULL. */
int statement_column_doubles(sqlite3_stmt *stmt, int column, double **values, size_t *n, struct err *e) MUST_CHECK;
