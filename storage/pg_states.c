/* SPDX-License-Identifier: MIT */
/*
 * Outside of a transaction each statement sees the database as it is then. What has to be of one moment is therefore
 * asked by one statement: whether a layer's state at a mark is still the live one, or was kept meanwhile.
 */
#include "storage/pg_states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/snapshot.h"

#define COLUMNS(id, since, mean, var, weight, bias) \
	"name, " id ", definition, revision, features, num_batches_tracked, count, decayed_count, frozen, sources" \
	", changed_s, " since ", " mean ", " var ", " weight ", " bias
#define LIVE_COLUMNS COLUMNS("id", "since", "running_mean", "running_var", "weight", "bias")
#define KEPT_COLUMNS COLUMNS("layer_id", "first_mark", "running_mean", "running_var", "weight", "bias")
enum {
	NAME,
	ID,
	DEFINITION,
	REVISION,
	FEATURES,
	BATCHES,
	COUNT,
	DECAYED_COUNT,
	FROZEN,
	SOURCES,
	CHANGED,
	SINCE,
	MEAN,
	VAR,
	WEIGHT,
	BIAS
};

/* Lists that the daemon has already are not sent. $3: the id and the revision of each, as "1:2". */
#define UNLESS_KNOWN(list) \
	"CASE WHEN CAST(id AS text) || ':' || CAST(revision AS text) = ANY($3) THEN NULL ELSE " list " END"

#define BYTES \
	"CAST(coalesce(length(running_mean), 0) + coalesce(length(running_var), 0)" \
	" + coalesce(length(weight), 0) + coalesce(length(bias), 0) AS bigint)"

void
pg_states_ask_model(struct backend *b, const char *model, enum pg_lock lock)
{
#define MODEL "SELECT id, mark, serving, number, switch_last FROM normd_model WHERE name = $1"
	static const char *const sql[] = { MODEL, MODEL " FOR SHARE", MODEL " FOR UPDATE" };
	struct pg_params p = { 0 };

	pg_text(&p, model);
	pg_send(b, sql[lock], &p);
}

void
pg_states_take_model(const PGresult *r, struct pg_model_row *out)
{
	memset(out, 0, sizeof(*out));
	if (PQntuples(r) == 0)
		return;
	out->id = pg_get_int(r, 0, 0);
	out->mark = (uint64_t)pg_get_int(r, 0, 1);
	out->serving = (uint64_t)pg_get_int(r, 0, 2);
	out->number = pg_get_int(r, 0, 3);
	out->switch_last = pg_get_int(r, 0, 4);
}

int
pg_states_model(struct backend *b, const char *model, struct pg_model_row *out, struct err *e)
{
	struct pg_held_model *held = pg_held_model(&pg_self(b)->held, model);
	struct pg_params p = { 0 };
	PGresult *r;

	if (held != NULL && held->known) {
		*out = held->row;
		return 0;
	}
	pg_text(&p, model);
	if (pg_ask(b, MODEL, &p, &r, e) < 0)
		return -1;
	pg_states_take_model(r, out);
	PQclear(r);
	if (held != NULL)
		*held = (struct pg_held_model){ true, *out };
	return 0;
}

void
pg_states_ask_layers(struct backend *b, const struct planned_layer *layers, size_t count, bool lock)
{
#define LAYERS \
	"SELECT " COLUMNS("id", "since", UNLESS_KNOWN("running_mean"), UNLESS_KNOWN("running_var"), \
	    UNLESS_KNOWN("weight"), \
	    UNLESS_KNOWN("bias")) " FROM normd_layer WHERE model = $1 AND name = ANY($2) ORDER BY name"
	static const char *const sql[] = { LAYERS, LAYERS " FOR UPDATE" };
	struct pg_array names, known;
	struct pg_params p = { 0 };
	char text[48];

	pg_array_init(&names, PG_TEXTS);
	pg_array_init(&known, PG_TEXTS);
	for (size_t i = 0; i < count; i++) {
		const struct snapshot *s = layers[i].known;

		pg_array_text(&names, layers[i].name);
		if (s == NULL)
			continue;
		snprintf(text, sizeof(text), "%lld:%llu", (long long)s->identity->id, (unsigned long long)s->revision);
		pg_array_text(&known, text);
	}
	pg_text(&p, layers->model);
	pg_array(&p, &names);
	pg_array(&p, &known);
	pg_send(b, sql[lock], &p);
	pg_array_fini(&names);
	pg_array_fini(&known);
}

/* Which state a row is. */
struct names {
	const char *model, *layer;
	const struct model_at *at;         /* NULL: live */
	const struct layer_identity *live; /* as in struct state_row */
};

static struct snapshot
numbers_from_row(const PGresult *r, int row)
{
	return (struct snapshot){
		.revision = (uint64_t)pg_get_int(r, row, REVISION),
		.statistics = { .features = (size_t)pg_get_int(r, row, FEATURES),
		    .num_batches_tracked = (uint64_t)pg_get_int(r, row, BATCHES),
		    .count = (uint64_t)pg_get_int(r, row, COUNT),
		    .decayed_count = pg_get_double(r, row, DECAYED_COUNT) },
		.frozen = pg_get_int(r, row, FROZEN) != 0,
		.sources = (size_t)pg_get_int(r, row, SOURCES),
		.changed_s = pg_get_int(r, row, CHANGED),
		.since = (uint64_t)pg_get_int(r, row, SINCE),
	};
}

/* A reference; NULL with `e`. */
static const struct layer_identity *
identity_from_row(struct backend *b, const PGresult *r, int row, const struct names *names, struct err *e)
{
	const int64_t id = pg_get_int(r, row, ID);

	if (names->live != NULL && names->live->id == id)
		return layer_identity_ref(names->live);
	return layer_identity_new(
	    id, names->model, names->layer, PQgetvalue(r, row, DEFINITION), pg_self(b)->identities, e);
}

static int
snapshot_from_row(struct backend *b, const PGresult *r, int row, const struct names *names, const struct snapshot **out,
    struct err *e)
{
	struct snapshot loaded = numbers_from_row(r, row);
	struct statistics *s = &loaded.statistics;
	double *weight = NULL, *bias = NULL;
	size_t mean_count, var_count;
	int result = -1;

	loaded.identity = identity_from_row(b, r, row, names, e);
	if (loaded.identity == NULL || pg_get_doubles(r, row, MEAN, &s->mean, &mean_count, e) < 0 ||
	    pg_get_doubles(r, row, VAR, &s->var, &var_count, e) < 0 ||
	    pg_get_doubles(r, row, WEIGHT, &weight, &loaded.weight.count, e) < 0 ||
	    pg_get_doubles(r, row, BIAS, &bias, &loaded.bias.count, e) < 0)
		goto out;
	if (snapshot_check_lists(s, mean_count, var_count, names->model, names->layer, e) < 0)
		goto out;
	if (names->at != NULL) {
		loaded.version = names->at->version;
		memcpy(loaded.version_digest, names->at->digest, SHA256_BYTES);
	}
	loaded.weight.values = weight;
	loaded.bias.values = bias;
	*out = snapshot_new(&loaded);
	result = *out == NULL ? err_fail_memory(e) : 0;
out:
	layer_identity_unref(loaded.identity);
	free(s->mean);
	free(s->var);
	free(weight);
	free(bias);
	return result;
}

int
pg_states_take(struct backend *b, const PGresult *r, int row, const struct planned_layer *planned,
    const struct snapshot **out, struct err *e)
{
	const struct snapshot *known = planned->known;
	const struct names names = {
		.model = planned->model, .layer = planned->name, .live = known != NULL ? known->identity : NULL
	};

	if (known != NULL && known->identity->id == pg_get_int(r, row, ID) &&
	    known->revision == (uint64_t)pg_get_int(r, row, REVISION)) {
		*out = snapshot_ref(known);
		return 0;
	}
	return snapshot_from_row(b, r, row, &names, out, e);
}

/* While a layer is loaded its lists exist three times: in the result, as doubles, and in the snapshot. */
#define LOAD_COPIES ((size_t)3)

/* A query for one state, whose lists take so many bytes, and who pays for them. */
struct loading {
	const char *sql;
	const struct pg_params *params;
	const struct names *names;
	size_t bytes;
	struct budget_share *memory;
};

/* *out stays NULL where there is no such state. */
static int
load(struct backend *b, const struct loading *l, const struct snapshot **out, struct err *e)
{
	PGresult *r;
	int result;

	*out = NULL;
	if (budget_ask(l->memory, LOAD_COPIES * l->bytes, e) < 0)
		return -1;
	result = pg_ask(b, l->sql, l->params, &r, e);
	if (result == 0) {
		result = PQntuples(r) > 0 ? snapshot_from_row(b, r, 0, l->names, out, e) : 0;
		PQclear(r);
	}
	budget_give(l->memory, (LOAD_COPIES - (*out != NULL)) * l->bytes);
	return result;
}

/* What was read for the plan. */
static int
load_held(const struct pg_held_layer *held, struct budget_share *memory, const struct snapshot **out, struct err *e)
{
	*out = NULL;
	if (held->snapshot == NULL)
		return 0;
	if (budget_ask(memory, store_snapshot_bytes(held->snapshot), e) < 0)
		return -1;
	*out = snapshot_ref(held->snapshot);
	return 0;
}

/* The bytes of a layer's lists; 0 if there is no such layer. */
static int
load_bytes(struct backend *b, const struct pg_params *p, int64_t *bytes, struct err *e)
{
	static const char sql[] = "SELECT " BYTES " FROM normd_layer WHERE model = $1 AND name = $2";

	return pg_ask_int(b, sql, p, bytes, e);
}

/* In a transaction the row is locked: what is read is written soon. */
int
pg_load(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
#define LAYER "SELECT " LIVE_COLUMNS " FROM normd_layer WHERE model = $1 AND name = $2"
	static const char *const sql[] = { LAYER, LAYER " FOR UPDATE" };
	const struct names names = { .model = model, .layer = layer };
	const struct pg_held_layer *held = pg_held_layer(&pg_self(b)->held, model, layer);
	struct pg_params p = { 0 };
	int64_t bytes = 0;

	if (held != NULL && held->known)
		return load_held(held, memory, out, e);
	pg_text(&p, model);
	pg_text(&p, layer);
	if (memory != NULL && load_bytes(b, &p, &bytes, e) < 0)
		return -1;
	return load(b, &(struct loading){ sql[pg_self(b)->open], &p, &names, (size_t)bytes, memory }, out, e);
}

static int
take_at(const PGresult *r, struct model_at *at, struct err *e)
{
	const unsigned char *digest;

	at->model_id = pg_get_int(r, 0, 0);
	at->mark = pg_get_int(r, 0, 1);
	if (at->pin != 0 || at->version == 0)
		return 0;
	if (pg_get_bytes(r, 0, 2, SHA256_BYTES, "the stored digest of a version is damaged", &digest, e) < 0)
		return -1;
	memcpy(at->digest, digest, SHA256_BYTES);
	return 0;
}

int
pg_find_at(struct backend *b, struct model_at *at, bool *found, struct err *e)
{
#define VERSION \
	"SELECT v.model_id, v.mark, v.digest FROM normd_model m JOIN normd_version v ON v.model = m.name" \
	" AND v.model_id = m.id AND v.gone = 0 WHERE m.name = $1 AND m.id <> 0 AND v."
	static const char live[] = "SELECT id, 9223372036854775807 FROM normd_model WHERE name = $1 AND id <> 0",
			  version[] = VERSION "number = $2", pin[] = VERSION "id = $2";
	struct pg_params p = { 0 };
	PGresult *r;
	int result;

	pg_text(&p, at->model);
	if (at->pin != 0 || at->version != 0)
		pg_int(&p, at->pin != 0 ? at->pin : (int64_t)at->version);
	if (pg_ask(b, at->pin != 0 ? pin : at->version != 0 ? version : live, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	result = *found ? take_at(r, at, e) : 0;
	PQclear(r);
	return result;
}

/*
 * The state that a layer had at the mark $4: one that was kept until then or longer, or the live one, if it is as old.
 * One of a model that was deleted is not live any more: $3 is the model's id.
 */
#define KEPT_AT " FROM normd_kept WHERE model = $1 AND model_id = $3 AND last_mark >= $4 AND first_mark <= $4 AND name "
#define LIVE_AT \
	" FROM normd_layer WHERE model = $1 AND since <= $4" \
	" AND EXISTS (SELECT 1 FROM normd_model m WHERE m.name = $1 AND m.id = $3) AND name "

static void
at_params(struct pg_params *p, const struct model_at *at, const char *name)
{
	pg_text(p, at->model);
	pg_text(p, name);
	pg_int(p, at->model_id);
	pg_int(p, at->mark);
}

/* Columns: whether it is kept, its name, id, first mark, bytes. */
static int
find(struct backend *b, const char *sql, const struct model_at *at, const char *name, struct state_row *out,
    bool *found, struct err *e)
{
	struct pg_params p = { 0 };
	PGresult *r;

	at_params(&p, at, name);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	*out = (struct state_row){ 0 }; /* now: `name` may be in it */
	if (*found) {
		out->kept = pg_get_int(r, 0, 0) != 0;
		pg_get_text(r, 0, 1, out->name, sizeof(out->name));
		out->id = pg_get_int(r, 0, 2);
		out->since = (uint64_t)pg_get_int(r, 0, 3);
		out->bytes = (size_t)pg_get_int(r, 0, 4);
	}
	PQclear(r);
	return 0;
}

#define KEPT_ROW "SELECT CAST(1 AS bigint), name, layer_id, first_mark, " BYTES KEPT_AT
#define LIVE_ROW "SELECT CAST(0 AS bigint), name, id, since, " BYTES LIVE_AT

int
pg_find_row(
    struct backend *b, const struct model_at *at, const char *layer, struct state_row *out, bool *found, struct err *e)
{
	static const char sql[] = KEPT_ROW "= $2 UNION ALL " LIVE_ROW "= $2";

	return find(b, sql, at, layer, out, found, e);
}

int
pg_next_row(
    struct backend *b, const struct model_at *at, const char *after, struct state_row *out, bool *found, struct err *e)
{
	static const char sql[] = "(" KEPT_ROW "> $2 ORDER BY name LIMIT 1) UNION ALL (" LIVE_ROW
				  "> $2 ORDER BY name LIMIT 1) ORDER BY name LIMIT 1";

	return find(b, sql, at, after, out, found, e);
}

/* By its name and the mark, as it may have moved on since it was found. */
int
pg_load_row(struct backend *b, const struct model_at *at, const struct state_row *row, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
	static const char sql[] = "SELECT " KEPT_COLUMNS KEPT_AT "= $2 UNION ALL SELECT " LIVE_COLUMNS LIVE_AT "= $2";
	const struct names names = { at->model, row->name, at, row->live };
	struct pg_params p = { 0 };

	at_params(&p, at, row->name);
	if (load(b, &(struct loading){ sql, &p, &names, row->bytes, memory }, out, e) < 0)
		return -1;
	return *out != NULL ?
	    0 :
	    err_fail(e, ERR_NO_SUCH_LAYER, "layer \"%s\" of model \"%s\" was deleted meanwhile", row->name, at->model);
}
