/* SPDX-License-Identifier: MIT */
#include "storage/pg_layers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/names.h"
#include "storage/pg_backend.h"
#include "storage/pg_kept.h"
#include "storage/pg_states.h"

int
pg_model_exists(struct backend *b, const char *model, bool *exists, struct err *e)
{
	struct pg_model_row row;

	if (pg_states_model(b, model, &row, e) < 0)
		return -1;
	*exists = row.id != 0;
	return 0;
}

/* Makes the model, unless somebody else does meanwhile; its row. */
static int
insert_model(struct backend *b, const char *model, struct pg_model_row *row, struct err *e)
{
	static const char sql[] = "INSERT INTO normd_model AS m (name, id, mark, number, switch_last, switch, serving)"
				  " VALUES($1, $2, 0, 0, 0, 0, 0) ON CONFLICT (name) DO UPDATE SET id = CASE WHEN m.id "
				  "= 0 THEN $2 ELSE m.id END";
	struct pg_params p = { 0 };

	pg_text(&p, model);
	pg_int(&p, pg_random_id());
	pg_send(b, sql, &p);
	pg_held_forget_model(&pg_self(b)->held, model);
	return pg_states_model(b, model, row, e);
}

int
pg_insert(struct backend *b, const struct store_write *write, int64_t now_s, struct inserted *out, struct err *e)
{
	static const char sql[] =
	    "INSERT INTO normd_layer(model, name, id, since, definition, revision, features, num_batches_tracked, "
	    "count,"
	    " decayed_count, frozen, sources, changed_s) VALUES($1, $2, $3, $4, $5, 0, $6, 0, 0, 0, 0, 0, $7)";
	struct pg_held_layer *held;
	struct pg_model_row row;
	struct pg_params p = { 0 };

	if (pg_states_model(b, write->model, &row, e) < 0 ||
	    (row.id == 0 && insert_model(b, write->model, &row, e) < 0))
		return -1;
	*out = (struct inserted){ pg_random_id(), row.mark + 1 };
	pg_text(&p, write->model);
	pg_text(&p, write->layer);
	pg_int(&p, out->id);
	pg_int(&p, (int64_t)out->since);
	pg_text(&p, write->create.definition);
	pg_int(&p, (int64_t)write->create.features);
	pg_int(&p, now_s);
	pg_send(b, sql, &p);
	held = pg_held_layer(&pg_self(b)->held, write->model, write->layer);
	if (held != NULL) {
		held->known = false;
		held->id = out->id;
		held->revision = 0;
	}
	return 0;
}

/* The revision that the layer's row has, if the transaction knows it, and from now on; -1: not known. */
static int64_t
exchange_revision(struct backend *b, const struct snapshot *layer)
{
	const struct layer_identity *identity = layer->identity;
	struct pg_held_layer *held = pg_held_layer(&pg_self(b)->held, identity->model, identity->name);
	int64_t before;

	if (held == NULL || held->id != identity->id)
		return -1;
	before = held->revision;
	held->revision = (int64_t)layer->revision;
	held->known = false;
	return before;
}

#define SAVE_STATE \
	"UPDATE normd_layer SET revision = " PG_GUARD("revision = $4 OR $4 < 0", \
	    "$5") ", features = $6, num_batches_tracked = $7, count = $8, running_mean = $9, running_var = $10" \
		  ", decayed_count = $11, frozen = $12, sources = $13, changed_s = $14, since = $15"
#define OF_LAYER " WHERE model = $1 AND name = $2 AND id = $3"

int
pg_save(struct backend *b, const struct snapshot *layer, bool parameters, struct err *e)
{
	static const char *const sql[] = { SAVE_STATE OF_LAYER, SAVE_STATE ", weight = $16, bias = $17" OF_LAYER };
	const struct statistics *s = &layer->statistics;
	struct arena *scratch = &pg_self(b)->scratch;
	struct pg_params p = { 0 };
	char revision[24];

	(void)e;
	snprintf(revision, sizeof(revision), "%" PRIu64, layer->revision);
	pg_text(&p, layer->identity->model);
	pg_text(&p, layer->identity->name);
	pg_int(&p, layer->identity->id);
	pg_int(&p, exchange_revision(b, layer));
	pg_text(&p, revision);
	pg_int(&p, (int64_t)s->features);
	pg_int(&p, (int64_t)s->num_batches_tracked);
	pg_int(&p, (int64_t)s->count);
	pg_doubles(&p, scratch, s->mean, s->features);
	pg_doubles(&p, scratch, s->var, s->features);
	pg_double(&p, s->decayed_count);
	pg_int(&p, layer->frozen);
	pg_int(&p, (int64_t)layer->sources);
	pg_int(&p, layer->changed_s);
	pg_int(&p, (int64_t)layer->since);
	if (parameters) {
		pg_doubles(&p, scratch, layer->weight.values, layer->weight.count);
		pg_doubles(&p, scratch, layer->bias.values, layer->bias.count);
	}
	pg_send(b, sql[parameters], &p);
	return 0;
}

static void
send_all(struct backend *b, const char *const *sql, size_t count, const struct pg_params *p)
{
	for (size_t i = 0; i < count; i++)
		pg_send(b, sql[i], p);
}

/* With what belongs to it, but for its history, which is left to pg_purge_history, and its keys, which expire. */
int
pg_delete_layer(struct backend *b, const struct layer_identity *layer, struct err *e)
{
	static const char leave_history[] = "INSERT INTO normd_history_gone(model, layer_id) SELECT $1, $2 WHERE EXISTS"
					    " (SELECT 1 FROM normd_history WHERE model = $1 AND layer_id = $2)";
	static const char *const sql[] = {
		leave_history,
		"DELETE FROM normd_source WHERE model = $1 AND layer_id = $2",
		"DELETE FROM normd_window WHERE model = $1 AND layer_id = $2",
		"DELETE FROM normd_layer WHERE model = $1 AND id = $2",
	};
	struct pg_held_layer *held = pg_held_layer(&pg_self(b)->held, layer->model, layer->name);
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, layer->model);
	pg_int(&p, layer->id);
	send_all(b, sql, sizeof(sql) / sizeof(sql[0]), &p);
	if (held != NULL)
		held->known = false;
	return 0;
}

/* Its versions, and what is kept for them, are left to pg_reclaim. Its counters go on, lest a number come back. */
int
pg_delete_model(struct backend *b, const char *model, struct err *e)
{
	static const char *const sql[] = {
		"INSERT INTO normd_history_gone(model, layer_id) SELECT $1, l.id FROM normd_layer l WHERE l.model = $1"
		" AND EXISTS (SELECT 1 FROM normd_history h WHERE h.model = $1 AND h.layer_id = l.id)",
		"INSERT INTO normd_model_gone(model, model_id) SELECT $1, m.id FROM normd_model m WHERE m.name = $1"
		" AND EXISTS (SELECT 1 FROM normd_version v WHERE v.model = $1 AND v.model_id = m.id)",
		"DELETE FROM normd_source WHERE model = $1",
		"DELETE FROM normd_window WHERE model = $1",
		"DELETE FROM normd_alias WHERE model = $1",
		"DELETE FROM normd_serving WHERE model = $1",
		"DELETE FROM normd_layer WHERE model = $1",
		"UPDATE normd_model SET id = 0, switch = 0, serving = 0 WHERE name = $1",
	};
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, model);
	send_all(b, sql, sizeof(sql) / sizeof(sql[0]), &p);
	pg_held_forget_model(&pg_self(b)->held, model);
	return 0;
}

int
pg_freeze_model(struct backend *b, struct model_freeze *f, struct err *e)
{
	static const char freeze[] = "UPDATE normd_layer SET frozen = $3, revision = revision + 1, since = $2 + 1"
				     " WHERE model = $1 AND frozen <> $3",
			  count[] = "SELECT count(*) FROM normd_layer WHERE model = $1";
	struct pg_params p = { 0 }, q = { 0 };
	int64_t n = 0;

	pg_text(&p, f->model);
	pg_int(&p, (int64_t)f->mark);
	pg_int(&p, f->frozen);
	pg_text(&q, f->model);
	pg_kept_send_model(b, &p);
	pg_send(b, freeze, &p);
	pg_held_forget_model(&pg_self(b)->held, f->model);
	if (pg_ask_int(b, count, &q, &n, e) < 0)
		return -1;
	f->layers = (uint64_t)n;
	return 0;
}

static int
read_layer(const PGresult *r, int row, void *out, struct err *e)
{
	struct store_entry *entry = out;

	pg_get_text(r, row, 0, entry->name, sizeof(entry->name));
	entry->definition = strdup(PQgetvalue(r, row, 1));
	entry->revision = (uint64_t)pg_get_int(r, row, 2);
	entry->features = (uint64_t)pg_get_int(r, row, 3);
	entry->frozen = pg_get_int(r, row, 4) != 0;
	return entry->definition == NULL ? err_fail_memory(e) : 0;
}

static int
read_model(const PGresult *r, int row, void *out, struct err *e)
{
	struct store_entry *entry = out;

	(void)e;
	pg_get_text(r, row, 0, entry->name, sizeof(entry->name));
	entry->serving = (uint64_t)pg_get_int(r, row, 1);
	return 0;
}

/* Adds rows to the list's, up to its limit. */
static int
read_list(
    struct backend *b, const char *sql, struct pg_params *p, pg_read *read, struct store_list *list, struct err *e)
{
	struct pg_list rows = { .limit = list->limit,
		.entry_bytes = sizeof(*list->entries),
		.entries = list->entries,
		.count = list->count };
	int result;

	pg_int(p, (int64_t)(list->limit - list->count) + 1);
	result = pg_ask_list(b, sql, p, read, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
pg_list_layers(struct backend *b, struct store_list *list, struct err *e)
{
	static const char sql[] = "SELECT name, definition, revision, features, frozen FROM normd_layer"
				  " WHERE model = $1 AND name > $2 ORDER BY name LIMIT $3";
	struct pg_params p = { 0 };

	pg_text(&p, list->model);
	pg_text(&p, list->after != NULL ? list->after : "");
	return read_list(b, sql, &p, read_layer, list, e);
}

static int
list_models_with(struct backend *b, struct store_list *list, const char *prefix, struct err *e)
{
	static const char sql[] = "SELECT name, serving FROM normd_model WHERE name >= $1 AND name < $2 AND id <> 0"
				  " ORDER BY name LIMIT $3";
	struct names_range range = { 0 };
	struct pg_params p = { 0 };

	names_with_prefix(&range, prefix, list->after);
	pg_text(&p, range.from);
	pg_text(&p, range.to);
	return read_list(b, sql, &p, read_model, list, e);
}

int
pg_list_models(struct backend *b, struct store_list *list, struct err *e)
{
	return backend_list_models(b, list, list_models_with, e);
}
