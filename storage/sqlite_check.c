/* SPDX-License-Identifier: MIT */
/*
 * Rows are checked first, because their check can show its progress. SQLite's own check is a single call, and then
 * finds most of the file in memory. Data that cannot be read is a finding like any other.
 */
#include "storage/sqlite_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/quote.h"
#include "storage/sqlite_check_history.h"
#include "storage/sqlite_check_sources.h"
#include "storage/sqlite_check_versions.h"
#include "storage/sqlite_check_windows.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_schema.h"

/* More findings of one kind would not help. */
#define STRUCTURE_FINDINGS_MAX "100"

struct check {
	sqlite3 *db;
	const struct offline_work *upkeep;
	struct offline_report *report;
	int version; /* of the file's schema */
	uint64_t layer_count;
	sqlite3_stmt *row; /* of the layer at hand */
	bool is_kept;      /* it is of a version */
	struct sources_check sources;
};

static void PRINTF_LIKE(2, 3) found(struct check *c, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	quote_mask(text); /* names come from the file, and a terminal may be shown them */
	c->report->damages++;
	c->upkeep->found(c->upkeep->arg, text);
}

/* The end of a query. An error other than want of memory is a damage. */
static int
end_query(struct check *c, sqlite3_stmt *stmt, int rc, const char *what, struct err *e)
{
	if (rc == SQLITE_NOMEM)
		err_set_memory(e);
	else if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		found(c, "%s: %s", what, sqlite3_errmsg(c->db));
	sqlite3_finalize(stmt);
	return rc == SQLITE_NOMEM ? -1 : 0;
}

/* Calls `each` for every row. */
static int
query(
    struct check *c, const char *sql, const char *what, void (*each)(struct check *c, sqlite3_stmt *row), struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			each(c, stmt);
	return end_query(c, stmt, rc, what, e);
}

static const char *
text(sqlite3_stmt *row, int column)
{
	const char *t = (const char *)sqlite3_column_text(row, column);

	return t != NULL ? t : "";
}

/* ---- the schema */

static bool
rows_equal(sqlite3_stmt *a, sqlite3_stmt *b)
{
	for (int i = 0; i < sqlite3_column_count(a); i++)
		if (strcmp(text(a, i), text(b, i)) != 0)
			return false;
	return true;
}

/* An empty store in memory. NULL with `e`. */
static sqlite3 *
open_model(int version, struct err *e)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		err_set_memory(e);
	else if (sqlite_make_schema(db, 0, version, e) == 0)
		return db;
	sqlite3_close(db);
	return NULL;
}

/*
 * Compares the schema with that of an empty store of the file's version. Tables of ANALYZE are allowed (sqlite_stat1).
 */
static int
check_schema(struct check *c, struct err *e)
{
	static const char sql[] =
	    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2";
	sqlite3_stmt *actual = NULL, *expected = NULL;
	sqlite3 *model = NULL;
	int rc = SQLITE_NOMEM, rc_expected, result = -1;

	if (sqlite_int(c->db, sqlite3_db_filename(c->db, "main"), "PRAGMA user_version", &c->version, e) < 0 ||
	    (model = open_model(c->version, e)) == NULL)
		return -1;
	if (sqlite3_prepare_v2(model, sql, -1, &expected, NULL) != SQLITE_OK) {
		err_set_memory(e);
		goto out;
	}
	rc = sqlite3_prepare_v2(c->db, sql, -1, &actual, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(actual);
		rc_expected = sqlite3_step(expected);
		if ((rc == SQLITE_ROW || rc == SQLITE_DONE) &&
		    (rc != rc_expected || (rc == SQLITE_ROW && !rows_equal(actual, expected)))) {
			found(c, "the schema is not that of a store: at %s \"%s\"",
			    text(rc == SQLITE_ROW ? actual : expected, 0),
			    text(rc == SQLITE_ROW ? actual : expected, 1));
			rc = SQLITE_DONE;
		}
	}
	result = end_query(c, actual, rc, "the schema", e);
out:
	sqlite3_finalize(expected);
	sqlite3_close(model);
	return result;
}

/* ---- the rows */

/* X(name, its column, the first version of the schema that has it; in a file of an older one it is 0) */
#define COLUMNS(X) \
	X(MODEL, "m.name", 1) \
	X(LAYER, "l.name", 1) \
	X(DEFINITION, "l.definition", 1) \
	X(HAS_STATE, "s.layer_id IS NOT NULL", 1) \
	X(REVISION, "s.revision", 1) \
	X(FEATURES, "s.features", 1) \
	X(NUM_BATCHES_TRACKED, "s.num_batches_tracked", 1) \
	X(COUNT, "s.count", 1) \
	X(DECAYED_COUNT, "s.decayed_count", 3) \
	X(FROZEN, "s.frozen", 3) \
	X(RUNNING_MEAN, "s.running_mean", 1) \
	X(RUNNING_VAR, "s.running_var", 1) \
	X(WEIGHT, "p.weight", 1) \
	X(BIAS, "p.bias", 1)

/* The same of states that are kept for versions. */
static const char kept_sql[] =
    "SELECT k.id, coalesce(m.name, k.model_id), k.name, k.definition, 1, k.revision, k.features,"
    " k.num_batches_tracked, k.count, k.decayed_count, k.frozen, k.running_mean, k.running_var, k.weight, k.bias"
    " FROM kept k LEFT JOIN model m ON m.id = k.model_id";

enum column {
	COLUMN_ID,
#define COLUMN_ENUM(name, sql, since) COLUMN_##name,
	COLUMNS(COLUMN_ENUM)
#undef COLUMN_ENUM
};

#define LAYERS_SQL_BYTES 512

/* A backup of an older version is checked as it is, without the columns that a migration would add. */
static const char *
layers_sql(int version, char sql[LAYERS_SQL_BYTES])
{
	size_t len = (size_t)snprintf(sql, LAYERS_SQL_BYTES, "SELECT l.id");

#define COLUMN_SQL(name, column, since) \
	len += (size_t)snprintf(sql + len, LAYERS_SQL_BYTES - len, ",%s", version >= (since) ? (column) : "0");
	COLUMNS(COLUMN_SQL)
#undef COLUMN_SQL
	snprintf(sql + len, LAYERS_SQL_BYTES - len,
	    " FROM layer l LEFT JOIN model m ON m.id = l.model_id LEFT JOIN state s ON s.layer_id = l.id"
	    " LEFT JOIN parameters p ON p.layer_id = l.id");
	return sql;
}

static void
damaged(struct check *c, const char *what)
{
	found(c, "%slayer \"%s\" of model \"%s\": %s", c->is_kept ? "a kept state of " : "", text(c->row, COLUMN_LAYER),
	    text(c->row, COLUMN_MODEL), what);
}

static void
check_name(struct check *c, enum column column, const char *what)
{
	int bytes = sqlite3_column_bytes(c->row, (int)column);

	if (sqlite3_column_type(c->row, (int)column) != SQLITE_NULL && (bytes < 1 || bytes > STORE_NAME_MAX))
		damaged(c, what);
}

static uint64_t
check_count(struct check *c, enum column column, const char *name)
{
	sqlite3_int64 count = sqlite3_column_int64(c->row, (int)column);
	char what[64];

	snprintf(what, sizeof(what), "its %s is negative", name);
	if (count < 0)
		damaged(c, what);
	return count < 0 ? 0 : (uint64_t)count;
}

/* SQLite keeps no NaN, but infinities. */
static void
check_numbers(struct check *c)
{
	const double decayed_count = sqlite3_column_double(c->row, COLUMN_DECAYED_COUNT);
	const sqlite3_int64 frozen = sqlite3_column_int64(c->row, COLUMN_FROZEN);

	(void)check_count(c, COLUMN_REVISION, "revision");
	(void)check_count(c, COLUMN_NUM_BATCHES_TRACKED, "num_batches_tracked");
	(void)check_count(c, COLUMN_COUNT, "count");
	if (!(decayed_count >= 0 && decayed_count < STATISTICS_DECAYED_COUNT_END))
		damaged(c, "its decayed count is not a number from 0 to below 2^63");
	if (frozen != 0 && frozen != 1)
		damaged(c, "it is marked as frozen by another number than 0 or 1");
}

/* That all values of a blob are finite, and none is below `least`. Gives their number; 0 where there is no blob. */
static size_t
check_doubles(struct check *c, enum column column, const char *name, double least)
{
	const unsigned char *bytes = sqlite3_column_blob(c->row, (int)column);
	size_t size = (size_t)sqlite3_column_bytes(c->row, (int)column), n = size / 8;
	char what[96];
	double value;

	for (size_t i = 0; bytes != NULL && i < n; i++) {
		bytes_get_doubles(&value, bytes + 8 * i, 1);
		if (isfinite(value) && value >= least)
			continue;
		snprintf(what, sizeof(what), "its %s has an impossible value: %g at %zu", name, value, i);
		damaged(c, what);
		break;
	}
	if (size % 8 != 0) {
		snprintf(what, sizeof(what), "its %s is cut off: %zu bytes", name, size);
		damaged(c, what);
	}
	return n;
}

static void
check_statistics(struct check *c, uint64_t features)
{
	bool has_mean = sqlite3_column_type(c->row, COLUMN_RUNNING_MEAN) != SQLITE_NULL;
	bool has_var = sqlite3_column_type(c->row, COLUMN_RUNNING_VAR) != SQLITE_NULL;
	size_t means = check_doubles(c, COLUMN_RUNNING_MEAN, "running mean", -INFINITY);
	size_t vars = check_doubles(c, COLUMN_RUNNING_VAR, "running variance", 0);

	if (has_mean != has_var)
		damaged(c, "it has one of running mean and running variance, but not the other");
	if ((has_mean && means != features) || (has_var && vars != features))
		damaged(c, "its statistics do not have one value per feature");
}

static void
check_definition(struct check *c, uint64_t features, size_t weight_count, size_t bias_count)
{
	const struct offline_work *u = c->upkeep;
	struct err e = { 0 };
	const void *parsed = u->definitions.parse(text(c->row, COLUMN_DEFINITION), &e);

	if (parsed == NULL || u->judge(parsed, (size_t)features, weight_count, bias_count, &e) < 0)
		damaged(c, e.detail);
	if (parsed != NULL)
		u->definitions.free(parsed);
}

static void
check_state(struct check *c, sqlite3_stmt *row)
{
	uint64_t features;
	size_t weight_count, bias_count;

	c->row = row;
	check_name(c, COLUMN_MODEL, "its model's name has an impossible length");
	check_name(c, COLUMN_LAYER, "its name has an impossible length");
	weight_count = check_doubles(c, COLUMN_WEIGHT, "weight", -INFINITY);
	bias_count = check_doubles(c, COLUMN_BIAS, "bias", -INFINITY);
	if (sqlite3_column_int(row, COLUMN_HAS_STATE)) {
		check_numbers(c);
		features = check_count(c, COLUMN_FEATURES, "number of features");
		check_statistics(c, features);
		check_definition(c, features, weight_count, bias_count);
	} else {
		damaged(c, "it has no state");
	}
}

static void
check_layer(struct check *c, sqlite3_stmt *row)
{
	check_state(c, row);
	c->report->layers++;
	c->upkeep->progress(c->upkeep->arg, "layers", c->report->layers, c->layer_count);
}

/* The first version of the schema that has versions of models. */
#define VERSIONS_SINCE 4

static void
found_text(void *arg, const char *damage)
{
	found(arg, "%s", damage);
}

static void
take_text(struct check *c, sqlite3_stmt *row)
{
	found(c, "%s", text(row, 0));
}

static int
check_versions(struct check *c, struct err *e)
{
	const struct offline_work *u = c->upkeep;

	if (c->version < VERSIONS_SINCE)
		return 0;
	u->progress(u->arg, "versions", 0, 0);
	c->is_kept = true;
	if (query(c, kept_sql, "the states of versions", check_state, e) < 0)
		return -1;
	for (size_t i = 0; i < versions_check_count; i++)
		if (query(c, versions_check_sql[i], "the versions", take_text, e) < 0)
			return -1;
	if (versions_check_digests(c->db, u, found_text, c, e) == 0)
		return 0;
	if (e->code != ERR_STORAGE_UNAVAILABLE)
		return -1;
	found(c, "%s", e->detail);
	return 0;
}

/* The first version of the schema that has sources. */
#define SOURCES_SINCE 3

static void
take_source(struct check *c, sqlite3_stmt *row)
{
	sources_check_row(&c->sources, row);
}

static int
check_sources(struct check *c, struct err *e)
{
	int result;

	if (c->version < SOURCES_SINCE)
		return 0;
	c->sources = (struct sources_check){ .found = found_text, .arg = c };
	result = query(c, sources_check_sql, "the sources", take_source, e);
	return sources_check_end(&c->sources, e) < 0 ? -1 : result;
}

/* The first version of the schema that has histories. */
#define HISTORY_SINCE 4

static void
take_moment(struct check *c, sqlite3_stmt *row)
{
	const char *damage = history_check_row(row);

	if (damage != NULL)
		found(c, "layer \"%s\" of model \"%s\": row %s of its history %s", text(row, 1), text(row, 0),
		    text(row, 2), damage);
}

static void
take_lost(struct check *c, sqlite3_stmt *row)
{
	found(c, "there is a history of a layer with the id %s, but no such layer", text(row, 0));
}

static int
check_history(struct check *c, struct err *e)
{
	if (c->version < HISTORY_SINCE)
		return 0;
	return query(c, history_check_sql(c->version), "the histories", take_moment, e) < 0 ?
	    -1 :
	    query(c, history_check_lost_sql, "the histories", take_lost, e);
}

/* The first version of the schema that has windows of inference. */
#define WINDOWS_SINCE 5

static void
take_window(struct check *c, sqlite3_stmt *row)
{
	const char *damage = windows_check_row(row);

	if (damage != NULL)
		found(
		    c, "layer \"%s\" of model \"%s\": its window of inference %s", text(row, 1), text(row, 0), damage);
}

static int
check_windows(struct check *c, struct err *e)
{
	return c->version < WINDOWS_SINCE ? 0 : query(c, windows_check_sql, "the windows", take_window, e);
}

/* ---- the file */

static void
take_structure_finding(struct check *c, sqlite3_stmt *row)
{
	if (strcmp(text(row, 0), "ok") != 0)
		found(c, "the file: %s", text(row, 0));
}

static void
take_orphan(struct check *c, sqlite3_stmt *row)
{
	found(c, "table %s, row %s: its parent row in %s is missing", text(row, 0), text(row, 1), text(row, 2));
}

static void
take_counts(struct check *c, sqlite3_stmt *row)
{
	c->report->models = (uint64_t)sqlite3_column_int64(row, 0);
	c->layer_count = (uint64_t)sqlite3_column_int64(row, 1);
}

static int
check(sqlite3 *db, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	static const char counts[] = "SELECT (SELECT count(*) FROM model), (SELECT count(*) FROM layer)";
	struct check c = { .db = db, .upkeep = u, .report = report };
	char sql[LAYERS_SQL_BYTES];

	*report = (struct offline_report){ 0 };
	if (check_schema(&c, e) < 0)
		return -1;
	if (report->damages == 0 &&
	    (query(&c, counts, "the models and layers", take_counts, e) < 0 ||
		query(&c, layers_sql(c.version, sql), "the layers", check_layer, e) < 0 || check_sources(&c, e) < 0 ||
		check_history(&c, e) < 0 || check_windows(&c, e) < 0 || check_versions(&c, e) < 0))
		return -1;
	u->progress(u->arg, "structure", 0, 0);
	if (query(&c, "PRAGMA integrity_check(" STRUCTURE_FINDINGS_MAX ")", "the file", take_structure_finding, e) < 0)
		return -1;
	return query(&c, "PRAGMA foreign_key_check", "the references", take_orphan, e);
}

int
sqlite_check(sqlite3 *db, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	int result = db == NULL ? -1 : check(db, u, report, e);

	sqlite3_close(db);
	return result;
}
