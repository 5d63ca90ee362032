/* SPDX-License-Identifier: MIT */
#include "storage/migrate_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Columns of a state, from the definition on, as rows_tables.c has them. */
enum { DEFINITION, REVISION, FEATURES, BATCHES, COUNT, DECAYED, FROZEN, SOURCES, CHANGED, MEAN, VAR, WEIGHT, BIAS };

#define STATE_OF_LAYER 4   /* the first column of a state in the query of layers */
#define STATE_OF_VERSION 4 /* and in that of versions: model, number, digest, layer */

/* All states of all versions: those that were kept, and those that are live still. */
static const struct rows_query versions = { "TIBTTIIIIRIIIBBBB",
	"SELECT m.name, v.number, v.digest, x.name, x.definition, x.revision, x.features, x.num_batches_tracked, "
	"x.count,"
	" x.decayed_count, x.frozen, x.sources, x.changed_s, x.running_mean, x.running_var, x.weight, x.bias"
	" FROM version v JOIN model m ON m.id = v.model_id JOIN ("
	"SELECT model_id, name, first, last, definition, revision, features, num_batches_tracked, count, decayed_count,"
	" frozen, sources, changed_s, running_mean, running_var, weight, bias FROM kept UNION ALL"
	" SELECT l.model_id, l.name, s.since, 9223372036854775807, l.definition, s.revision, s.features,"
	" s.num_batches_tracked, s.count, s.decayed_count, s.frozen, s.sources, s.changed_s, s.running_mean, "
	"s.running_var,"
	" p.weight, p.bias FROM layer l JOIN state s ON s.layer_id = l.id LEFT JOIN parameters p ON p.layer_id = l.id"
	") x ON x.model_id = v.model_id AND v.mark BETWEEN x.first AND x.last"
	" WHERE v.gone = 0 AND v.number IS NOT NULL ORDER BY m.name, v.number, x.name",
	"SELECT v.model, v.number, v.digest, x.name, x.definition, x.revision, x.features, x.num_batches_tracked, "
	"x.count,"
	" x.decayed_count, x.frozen, x.sources, x.changed_s, x.running_mean, x.running_var, x.weight, x.bias"
	" FROM normd_version v JOIN normd_model m ON m.name = v.model AND m.id = v.model_id JOIN ("
	"SELECT model, model_id, name, first_mark, last_mark, definition, revision, features, num_batches_tracked, "
	"count,"
	" decayed_count, frozen, sources, changed_s, running_mean, running_var, weight, bias FROM normd_kept UNION ALL"
	" SELECT l.model, o.id, l.name, l.since, CAST(9223372036854775807 AS bigint), l.definition, l.revision, "
	"l.features,"
	" l.num_batches_tracked, l.count, l.decayed_count, l.frozen, l.sources, l.changed_s, l.running_mean, "
	"l.running_var,"
	" l.weight, l.bias FROM normd_layer l JOIN normd_model o ON o.name = l.model"
	") x ON x.model = v.model AND x.model_id = v.model_id AND v.mark BETWEEN x.first_mark AND x.last_mark"
	" WHERE v.gone = 0 AND v.number IS NOT NULL ORDER BY v.model, v.number, x.name" };

/* ---- a state's digest */

/* The lists of a state, as doubles. */
struct lists {
	double *values;
	double *list[4]; /* mean, var, weight, bias; NULL: there is none */
	size_t count[4];
};

static int
read_lists(const struct cell *state, struct lists *l, struct err *e)
{
	size_t total = 0;
	double *at;

	for (size_t i = 0; i < 4; i++)
		total += state[MEAN + i].length / sizeof(double);
	at = l->values = calloc(total + 1, sizeof(*at));
	if (at == NULL)
		return err_fail_memory(e);
	for (size_t i = 0; i < 4; i++) {
		const struct cell *c = &state[MEAN + i];

		l->list[i] = c->null ? NULL : at;
		l->count[i] = c->null ? 0 : c->length / sizeof(double);
		if (c->null)
			continue;
		bytes_get_doubles(at, c->bytes, l->count[i]);
		at += l->count[i];
	}
	return 0;
}

static int
digest_lists(const struct offline_work *u, const struct cell *state, const void *parsed, const struct lists *l,
    unsigned char out[SHA256_BYTES], struct err *e)
{
	const size_t features = (size_t)state[FEATURES].number;
	const struct statistics s = { .features = features,
		.num_batches_tracked = (uint64_t)state[BATCHES].number,
		.count = (uint64_t)state[COUNT].number,
		.decayed_count = state[DECAYED].real,
		.mean = l->list[0],
		.var = l->list[1] };

	if (u->judge(parsed, features, l->count[2], l->count[3], e) < 0)
		return -1;
	if ((l->list[0] == NULL) != (l->list[1] == NULL) ||
	    (l->list[0] != NULL && (l->count[0] != features || l->count[1] != features)))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "its lists are damaged");
	u->digests->layer(parsed, &s, l->list[2], l->list[3], out);
	return 0;
}

static int
digest_state(const struct offline_work *u, const struct cell *state, unsigned char out[SHA256_BYTES], struct err *e)
{
	struct lists l = { 0 };
	const void *parsed = u->definitions.parse(state[DEFINITION].bytes, e);
	int result = -1;

	if (parsed != NULL && read_lists(state, &l, e) == 0)
		result = digest_lists(u, state, parsed, &l, out, e);
	free(l.values);
	if (parsed != NULL)
		u->definitions.free(parsed);
	return result;
}

/* ---- layers */

#define DIFFERS " of model \"%s\" is not the same in the copy: the copy stays unfinished; remove it, and begin anew"

static bool
same_text(const struct cell *a, const struct cell *b)
{
	return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* Compares a row of one store with that of the other in its place, and counts it in the report. */
typedef int compare_row(const struct cell *a, const struct cell *b, const struct offline_work *u,
    struct offline_report *report, struct err *e);

static int
compare_layer(const struct cell *a, const struct cell *b, const struct offline_work *u, struct offline_report *report,
    struct err *e)
{
	unsigned char one[SHA256_BYTES], other[SHA256_BYTES];

	if (digest_state(u, a + STATE_OF_LAYER, one, e) < 0 || digest_state(u, b + STATE_OF_LAYER, other, e) < 0) {
		err_prepend(e, "layer \"%s\" of model \"%s\": ", (const char *)a[1].bytes, (const char *)a[0].bytes);
		return -1;
	}
	if (!same_text(&a[0], &b[0]) || !same_text(&a[1], &b[1]) || a[2].number != b[2].number ||
	    a[STATE_OF_LAYER + REVISION].number != b[STATE_OF_LAYER + REVISION].number ||
	    memcmp(one, other, SHA256_BYTES) != 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "layer \"%s\"" DIFFERS, (const char *)a[1].bytes,
		    (const char *)a[0].bytes);
	report->layers++;
	u->progress(u->arg, "comparing layers", report->layers, 0);
	return 0;
}

/* The columns of a version in rows_tables.c. */
enum { MODEL, VERSION_ID, MODEL_ID, MARK, NUMBER, CREATED, NOTE, DIGEST, KEY, KEY_DIGEST, GONE };

static int
compare_version_row(const struct cell *a, const struct cell *b, const struct offline_work *u,
    struct offline_report *report, struct err *e)
{
	(void)u;
	if (!same_text(&a[MODEL], &b[MODEL]) || a[NUMBER].null != b[NUMBER].null ||
	    a[NUMBER].number != b[NUMBER].number || a[MARK].number != b[MARK].number ||
	    a[GONE].number != b[GONE].number || !same_text(&a[DIGEST], &b[DIGEST]))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "version %lld" DIFFERS, (long long)a[NUMBER].number,
		    (const char *)a[MODEL].bytes);
	report->versions += !a[NUMBER].null && a[GONE].number == 0;
	return 0;
}

static int
compare_rows(struct rows *one, struct rows *other, const struct rows_table *t, compare_row *compare,
    const struct offline_work *u, struct offline_report *report, struct err *e)
{
	struct cell a[ROW_CELLS_MAX], b[ROW_CELLS_MAX];
	bool more = true, as_many;

	if (one->ops->read(one, &t->read, 0, e) < 0 || other->ops->read(other, &t->read, 0, e) < 0)
		return -1;
	while (more) {
		if (one->ops->next(one, a, &more, e) < 0 || other->ops->next(other, b, &as_many, e) < 0)
			return -1;
		if (more != as_many)
			return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the copy does not have as many %s", t->name);
		if (more && compare(a, b, u, report, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- versions */

/* A version, as it is read from one of the stores. */
struct version {
	struct rows *rows;
	const struct offline_work *work;
	struct cell cells[ROW_CELLS_MAX]; /* the row that is next */
	bool has_row;

	char model[STORE_NAME_MAX + 1];
	int64_t number;
	unsigned char stored[SHA256_BYTES], computed[SHA256_BYTES];
};

static bool
is_of(const struct version *v)
{
	return v->has_row && v->cells[1].number == v->number && strcmp(v->cells[0].bytes, v->model) == 0;
}

static int
add_state(struct version *v, void *digest, struct err *e)
{
	unsigned char state[SHA256_BYTES];

	if (digest_state(v->work, v->cells + STATE_OF_VERSION, state, e) < 0)
		return -1;
	v->work->digests->version_add(digest, v->cells[3].bytes, state);
	return v->rows->ops->next(v->rows, v->cells, &v->has_row, e);
}

/* *found: there was a version with states. */
static int
next_version(struct version *v, bool *found, struct err *e)
{
	void *digest;
	int result = 0;

	*found = v->has_row;
	if (!v->has_row)
		return 0;
	digest = malloc(v->work->digests->version_bytes);
	if (digest == NULL)
		return err_fail_memory(e);
	snprintf(v->model, sizeof(v->model), "%s", (const char *)v->cells[0].bytes);
	v->number = v->cells[1].number;
	if (v->cells[2].length == SHA256_BYTES)
		memcpy(v->stored, v->cells[2].bytes, SHA256_BYTES);
	v->work->digests->version_begin(digest);
	while (result == 0 && is_of(v))
		result = add_state(v, digest, e);
	v->work->digests->version_end(digest, v->computed);
	free(digest);
	return result;
}

static int
compare_version(const struct version *a, const struct version *b, struct err *e)
{
	if (a->number == b->number && strcmp(a->model, b->model) == 0 &&
	    memcmp(a->computed, b->computed, SHA256_BYTES) == 0 && memcmp(a->stored, a->computed, SHA256_BYTES) == 0 &&
	    memcmp(b->stored, b->computed, SHA256_BYTES) == 0)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "version %lld" DIFFERS, (long long)a->number, a->model);
}

static int
compare_versions(struct rows *one, struct rows *other, const struct offline_work *u, struct err *e)
{
	struct version a = { .rows = one, .work = u }, b = { .rows = other, .work = u };
	uint64_t compared = 0;
	bool more, as_many;

	if (one->ops->read(one, &versions, 0, e) < 0 || other->ops->read(other, &versions, 0, e) < 0 ||
	    one->ops->next(one, a.cells, &a.has_row, e) < 0 || other->ops->next(other, b.cells, &b.has_row, e) < 0)
		return -1;
	while (true) {
		if (next_version(&a, &more, e) < 0 || next_version(&b, &as_many, e) < 0)
			return -1;
		if (more != as_many)
			return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the copy does not have as many versions");
		if (!more)
			return 0;
		if (compare_version(&a, &b, e) < 0)
			return -1;
		u->progress(u->arg, "comparing versions", ++compared, 0);
	}
}

int
migrate_compare(
    struct rows *one, struct rows *other, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	if (compare_rows(one, other, &rows_tables[1], compare_layer, u, report, e) < 0 ||
	    compare_rows(one, other, &rows_tables[2], compare_version_row, u, report, e) < 0)
		return -1;
	return compare_versions(one, other, u, e);
}
