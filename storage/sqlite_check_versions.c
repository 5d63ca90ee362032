/* SPDX-License-Identifier: MIT */
/*
 * States are read once each, in the order of their names, and added to the digests of all versions that have them. So
 * each is hashed once, however many versions share it.
 */
#include "storage/sqlite_check_versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sqlite_errors.h"
#include "storage/sqlite_statements.h"

#define OF_MODEL(row) " LEFT JOIN model m ON m.id = " row ".model_id"
#define HAS_VERSION(row, number) \
	"EXISTS(SELECT 1 FROM version v WHERE v.model_id = " row ".model_id AND v.number = " number " AND v.gone = 0)"

static const char aliases_sql[] =
    "SELECT printf('model \"%s\": its alias \"%s\" names version %d, which does not exist', m.name, a.name, a.number)"
    " FROM alias a" OF_MODEL("a") " WHERE NOT " HAS_VERSION("a", "a.number");

static const char serving_sql[] =
    "SELECT printf('model \"%s\": it serves version %d, which does not exist', m.name, s.to_number)"
    " FROM serving s" OF_MODEL("s") " WHERE s.id IN (SELECT max(id) FROM serving GROUP BY model_id)"
				    " AND s.to_number <> 0 AND NOT " HAS_VERSION("s", "s.to_number");

static const char version_rows_sql[] =
    "SELECT printf('version %s of model \"%s\": its row %d has what a version cannot have',"
    " coalesce(v.number, 'without a number'), coalesce(m.name, v.model_id), v.id) FROM version v" OF_MODEL(
	"v") " WHERE v.mark < 1 OR v.gone NOT IN (0, 1, 2) OR v.number < 1"
	     " OR (v.number IS NULL AND coalesce(v.note, v.digest, v.key) IS NOT NULL)"
	     " OR (v.number IS NOT NULL AND (v.note IS NULL OR length(CAST(v.note AS BLOB)) > 1000"
	     " OR v.digest IS NULL OR length(v.digest) <> 32)) OR (v.key IS NULL) <> (v.key_digest IS NULL)";

static const char models_sql[] =
    "SELECT printf('version %s: its model is gone', coalesce(v.number, 'without a number'))"
    " FROM version v" OF_MODEL("v") " WHERE m.id IS NULL AND v.gone = 0"
				    " AND v.model_id NOT IN (SELECT model_id FROM model_gone)";

static const char models_gone_sql[] =
    "SELECT printf('model \"%s\": its versions are to be deleted, but it is there', m.name)"
    " FROM model_gone g JOIN model m ON m.id = g.model_id";

static const char numbers_sql[] =
    "SELECT printf('model \"%s\": it has marks or numbers of versions beyond its last', m.name)"
    " FROM model m LEFT JOIN numbers n ON n.model = m.name"
    " WHERE coalesce(n.mark, 0) < (SELECT max(mark) FROM version v WHERE v.model_id = m.id)"
    " OR coalesce(n.number, 0) < (SELECT max(number) FROM version v WHERE v.model_id = m.id)"
    " OR coalesce(n.mark, 0) + 1 <"
    " (SELECT max(s.since) FROM layer l JOIN state s ON s.layer_id = l.id WHERE l.model_id = m.id)";

static const char unneeded_sql[] =
    "SELECT printf('layer \"%s\" of model \"%s\": its kept state %d is for no version', k.name,"
    " coalesce(m.name, k.model_id), k.id) FROM kept k" OF_MODEL(
	"k") " WHERE NOT EXISTS(SELECT 1 FROM version v WHERE v.model_id = k.model_id AND v.gone <> 2"
	     " AND v.mark BETWEEN k.first AND k.last)";

/* The window has the rows of a name in their order, so only neighbours need be compared. */
static const char overlaps_sql[] =
    "SELECT printf('layer \"%s\" of model \"%s\": two of its states are for the same version', name,"
    " coalesce((SELECT m.name FROM model m WHERE m.id = model_id), model_id)) FROM"
    " (SELECT model_id, name, first, lag(last) OVER (PARTITION BY model_id, name ORDER BY first) AS before FROM"
    " (SELECT model_id, name, first, last FROM kept UNION ALL"
    " SELECT l.model_id, l.name, s.since, 9223372036854775807 FROM layer l JOIN state s ON s.layer_id = l.id))"
    " WHERE before >= first";

const char *const versions_check_sql[] = {
	aliases_sql,
	serving_sql,
	version_rows_sql,
	models_sql,
	models_gone_sql,
	numbers_sql,
	unneeded_sql,
	overlaps_sql,
};

const size_t versions_check_count = sizeof(versions_check_sql) / sizeof(versions_check_sql[0]);

/* ---- digests */

/* A version, and its digest as far as it is computed. */
struct version {
	int64_t number, mark;
	unsigned char expected[SHA256_BYTES];
	void *digest;
	bool known; /* all its states could be read */
};

struct sweep {
	sqlite3 *db;
	const struct offline_work *work;
	sqlite3_stmt *rows, *live, *kept;
	int64_t model_id;
	char model[STORE_NAME_MAX + 1];
	struct version *versions; /* of the model, by mark */
	size_t count, room;
	void (*found)(void *arg, const char *damage);
	void *arg;
};

/* Which states there are, all small; and what is hashed of each. */
static const char rows_sql[] =
    "SELECT model_id, name, first, last, kept, id FROM (SELECT model_id, name, first, last, 1 AS kept, id FROM kept"
    " UNION ALL SELECT l.model_id, l.name, s.since, 9223372036854775807, 0, l.id FROM layer l JOIN state s"
    " ON s.layer_id = l.id) WHERE model_id IN (SELECT model_id FROM version WHERE gone = 0 AND number IS NOT NULL)"
    " ORDER BY model_id, name, first";
static const char live_sql[] = "SELECT " LIVE_COLUMNS " FROM layer l " STATE_OF_LAYER " WHERE l.id = ?1";
static const char kept_sql[] = "SELECT " KEPT_COLUMNS " FROM kept WHERE id = ?1";
static const char versions_sql[] =
    "SELECT v.number, v.mark, v.digest, m.name FROM version v JOIN model m ON m.id = v.model_id WHERE v.model_id = ?1"
    " AND v.gone = 0 AND v.number IS NOT NULL AND length(v.digest) = 32 ORDER BY v.mark";

static int
failed(const struct sweep *s, struct err *e)
{
	return sqlite_failed(s->db, "the versions", e);
}

static void
free_versions(struct sweep *s)
{
	for (size_t i = 0; i < s->room; i++)
		free(s->versions[i].digest);
	free(s->versions);
	s->versions = NULL;
	s->count = s->room = 0;
}

/* One model is done: its digests are whole. */
static void
end_model(struct sweep *s)
{
	unsigned char actual[SHA256_BYTES];
	char text[512];

	for (size_t i = 0; i < s->count; i++) {
		const struct version *v = &s->versions[i];

		s->work->digests->version_end(v->digest, actual);
		if (!v->known || memcmp(actual, v->expected, SHA256_BYTES) == 0)
			continue;
		snprintf(text, sizeof(text), "version %lld of model \"%s\": its layers do not give its digest",
		    (long long)v->number, s->model);
		s->found(s->arg, text);
	}
	free_versions(s);
}

static int
add_version(struct sweep *s, sqlite3_stmt *row, struct err *e)
{
	struct version *v, *more = realloc(s->versions, (s->room + 1) * sizeof(*v));
	const char *name = (const char *)sqlite3_column_text(row, 3);

	if (more == NULL)
		return err_fail_memory(e);
	s->versions = more;
	v = &s->versions[s->room++];
	*v = (struct version){ .number = sqlite3_column_int64(row, 0),
		.mark = sqlite3_column_int64(row, 1),
		.digest = malloc(s->work->digests->version_bytes),
		.known = true };
	if (v->digest == NULL || name == NULL)
		return err_fail_memory(e);
	memcpy(v->expected, sqlite3_column_blob(row, 2), SHA256_BYTES);
	s->work->digests->version_begin(v->digest);
	s->count++;
	snprintf(s->model, sizeof(s->model), "%s", name);
	return 0;
}

static int
begin_model(struct sweep *s, int64_t model_id, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int rc, result = 0;

	s->model_id = model_id;
	if (sqlite3_prepare_v2(s->db, versions_sql, -1, &stmt, NULL) != SQLITE_OK)
		return failed(s, e);
	sqlite3_bind_int64(stmt, 1, model_id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && result == 0)
		result = add_version(s, stmt, e);
	if (result == 0 && rc != SQLITE_DONE)
		result = failed(s, e);
	sqlite3_finalize(stmt);
	return result;
}

/* *sound: whether the state is one; what it lacks is found by the check of rows. */
static int
digest_state(const struct sweep *s, sqlite3_stmt *row, unsigned char digest[SHA256_BYTES], bool *sound, struct err *e)
{
	const char *definition = (const char *)sqlite3_column_text(row, 1);
	struct statistics st = { .features = (size_t)sqlite3_column_int64(row, 3),
		.num_batches_tracked = (uint64_t)sqlite3_column_int64(row, 4),
		.count = (uint64_t)sqlite3_column_int64(row, 5),
		.decayed_count = sqlite3_column_double(row, 10) };
	double *weight = NULL, *bias = NULL;
	size_t means, vars, weights, biases;
	struct err ignored;
	const void *parsed = definition == NULL ? NULL : s->work->definitions.parse(definition, &ignored);
	int result = -1;

	*sound = false;
	if (statement_column_doubles(row, 6, &st.mean, &means, e) == 0 &&
	    statement_column_doubles(row, 7, &st.var, &vars, e) == 0 &&
	    statement_column_doubles(row, 8, &weight, &weights, e) == 0 &&
	    statement_column_doubles(row, 9, &bias, &biases, e) == 0)
		result = 0;
	if (result == 0 && parsed != NULL && (st.mean == NULL) == (st.var == NULL) &&
	    (st.mean == NULL || (means == st.features && vars == st.features)) &&
	    s->work->judge(parsed, st.features, weights, biases, &ignored) == 0) {
		s->work->digests->layer(parsed, &st, weight, bias, digest);
		*sound = true;
	}
	if (parsed != NULL)
		s->work->definitions.free(parsed);
	free(st.mean);
	free(st.var);
	free(weight);
	free(bias);
	return result;
}

/* A state in the order of the names: hashed, unless no version has it, and added to those that do. */
static int
take_state(struct sweep *s, struct err *e)
{
	const char *name = (const char *)sqlite3_column_text(s->rows, 1);
	const int64_t first = sqlite3_column_int64(s->rows, 2), last = sqlite3_column_int64(s->rows, 3);
	sqlite3_stmt *stmt = sqlite3_column_int(s->rows, 4) != 0 ? s->kept : s->live;
	unsigned char digest[SHA256_BYTES];
	bool read = false, sound = false;

	if (name == NULL)
		return err_fail_memory(e);
	for (size_t i = 0; i < s->count; i++) {
		struct version *v = &s->versions[i];

		if (v->mark < first || v->mark > last)
			continue;
		if (!read) {
			sqlite3_bind_int64(stmt, 1, sqlite3_column_int64(s->rows, 5));
			read = sqlite3_step(stmt) == SQLITE_ROW;
			if (statement_end(stmt, read ? SQLITE_ROW : SQLITE_ERROR,
				read ? digest_state(s, stmt, digest, &sound, e) : 0, e) < 0)
				return -1;
		}
		if (sound)
			s->work->digests->version_add(v->digest, name, digest);
		v->known = v->known && sound;
	}
	return 0;
}

static int
sweep_rows(struct sweep *s, struct err *e)
{
	int rc;

	while ((rc = sqlite3_step(s->rows)) == SQLITE_ROW) {
		const int64_t model_id = sqlite3_column_int64(s->rows, 0);

		if (s->model_id != model_id) {
			end_model(s);
			if (begin_model(s, model_id, e) < 0)
				return -1;
		}
		if (take_state(s, e) < 0)
			return -1;
	}
	if (rc != SQLITE_DONE)
		return failed(s, e);
	end_model(s);
	return 0;
}

int
versions_check_digests(sqlite3 *db, const struct offline_work *work, void (*found)(void *arg, const char *damage),
    void *arg, struct err *e)
{
	struct sweep s = { .db = db, .work = work, .found = found, .arg = arg };
	int result;

	if (work->digests == NULL)
		return 0;
	if (sqlite3_prepare_v2(db, rows_sql, -1, &s.rows, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, live_sql, -1, &s.live, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, kept_sql, -1, &s.kept, NULL) == SQLITE_OK)
		result = sweep_rows(&s, e);
	else
		result = failed(&s, e);
	free_versions(&s);
	sqlite3_finalize(s.rows);
	sqlite3_finalize(s.live);
	sqlite3_finalize(s.kept);
	return result;
}
