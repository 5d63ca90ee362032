/* SPDX-License-Identifier: MIT */
/*
 * What is left behind is what only waits to be forgotten: rows of models and layers that were deleted, and pins, which
 * are a running daemon's. SQLite numbers switches over all models, PostgreSQL within each: the way back numbers anew.
 */
#include "storage/rows.h"

#define STATE_TYPES "TIIIIRIIIBBBB"
#define STATE(s, p) \
	s ".revision, " s ".features, " s ".num_batches_tracked, " s ".count, " s ".decayed_count, " s ".frozen, " s \
	  ".sources, " s ".changed_s, " s ".running_mean, " s ".running_var, " p ".weight, " p ".bias"
#define STATE_COLUMNS \
	"revision, features, num_batches_tracked, count, decayed_count, frozen, sources, changed_s, running_mean," \
	" running_var, weight, bias"
#define OF_MODEL(row) " JOIN model m ON m.id = " row ".model_id"
#define OF_LAYER(row) " JOIN layer l ON l.id = " row ".layer_id JOIN model m ON m.id = l.model_id"
#define PG_OF_MODEL(row) " JOIN normd_model m ON m.name = " row ".model AND m.id = " row ".model_id AND m.id <> 0"
#define PG_OF_LAYER(row) " JOIN normd_layer l ON l.model = " row ".model AND l.id = " row ".layer_id"

const struct rows_table rows_tables[] = {
	{ "models",
	    { "TIIIIII",
		"SELECT n.name, coalesce(m.id, 0), coalesce(k.mark, 0), coalesce(k.number, 0),"
		" coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'serving'), 0),"
		" coalesce((SELECT max(s.id) FROM serving s WHERE s.model_id = m.id), 0),"
		" coalesce((SELECT s.to_number FROM serving s WHERE s.model_id = m.id ORDER BY s.id DESC LIMIT 1), 0)"
		" FROM (SELECT name FROM model UNION SELECT model FROM numbers) n LEFT JOIN model m ON m.name = n.name"
		" LEFT JOIN numbers k ON k.model = n.name ORDER BY n.name",
		"SELECT name, id, mark, number, switch_last, switch, serving FROM normd_model ORDER BY name" },
	    { "INSERT INTO model(id, name) SELECT ?2, ?1 WHERE ?2 <> 0",
		"INSERT INTO numbers(model, mark, number) SELECT ?1, ?3, ?4 WHERE ?3 <> 0 OR ?4 <> 0" },
	    "INSERT INTO normd_model(name, id, mark, number, switch_last, switch, serving)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7)" },
	{ "layers",
	    { "TTII" STATE_TYPES,
		"SELECT m.name, l.name, l.id, s.since, l.definition, " STATE("s", "p") " FROM layer l" OF_MODEL(
		    "l") " JOIN state s ON s.layer_id = l.id LEFT JOIN parameters p ON p.layer_id = l.id"
			 " ORDER BY m.name, l.name",
		"SELECT model, name, id, since, definition, " STATE_COLUMNS " FROM normd_layer ORDER BY model, name" },
	    { "INSERT INTO layer(id, model_id, name, definition) VALUES(?3, (SELECT id FROM model WHERE name = ?1), "
	      "?2, ?5)",
		"INSERT INTO state(layer_id, since, revision, features, num_batches_tracked, count, decayed_count, "
		"frozen,"
		" sources, changed_s, running_mean, running_var)"
		" VALUES(?3, ?4, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
		"INSERT INTO parameters(layer_id, weight, bias) VALUES(?3, ?16, ?17)" },
	    "INSERT INTO normd_layer(model, name, id, since, definition, " STATE_COLUMNS
	    ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)" },
	{ "versions",
	    { "TIIIIITBTBI",
		"SELECT m.name, v.id, v.model_id, v.mark, v.number, v.created_s, v.note, v.digest, v.key, v.key_digest,"
		" CASE WHEN v.number IS NULL AND v.gone = 0 THEN 1 ELSE v.gone END FROM version v" OF_MODEL(
		    "v") " ORDER BY m.name, v.id",
		"SELECT v.model, v.id, v.model_id, v.mark, v.number, v.created_s, v.note, v.digest, v.key, "
		"v.key_digest,"
		" CAST(CASE WHEN v.number IS NULL AND v.gone = 0 THEN 1 ELSE v.gone END AS bigint)"
		" FROM normd_version v" PG_OF_MODEL("v") " ORDER BY v.model, v.id" },
	    { "INSERT INTO version(id, model_id, mark, number, created_s, note, digest, key, key_digest, gone)"
	      " VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" },
	    "INSERT INTO normd_version(model, id, model_id, mark, number, created_s, note, digest, key, key_digest, "
	    "gone,"
	    " daemon, gone_s) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0)" },
	{ "states of versions",
	    { "TIITII" STATE_TYPES,
		"SELECT m.name, k.model_id, k.layer_id, k.name, k.first, k.last, k.definition, " STATE(
		    "k", "k") " FROM kept k" OF_MODEL("k") " ORDER BY m.name, k.layer_id, k.last",
		"SELECT k.model, k.model_id, k.layer_id, k.name, k.first_mark, k.last_mark, k.definition, " STATE(
		    "k", "k") " FROM normd_kept k" PG_OF_MODEL("k") " ORDER BY k.model, k.layer_id, k.last_mark" },
	    { "INSERT INTO kept(model_id, layer_id, name, first, last, definition, " STATE_COLUMNS
	      ") VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)" },
	    "INSERT INTO normd_kept(model, model_id, layer_id, name, first_mark, last_mark, definition, " STATE_COLUMNS
	    ") VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)" },
	{ "aliases",
	    { "TTI", "SELECT m.name, a.name, a.number FROM alias a" OF_MODEL("a") " ORDER BY m.name, a.name",
		"SELECT model, name, number FROM normd_alias ORDER BY model, name" },
	    { "INSERT INTO alias(model_id, name, number) VALUES((SELECT id FROM model WHERE name = ?1), ?2, ?3)" },
	    "INSERT INTO normd_alias(model, name, number) VALUES($1, $2, $3)" },
	{ "switches",
	    { "TIIIIT",
		"SELECT m.name, s.id, s.time_s, s.from_number, s.to_number, s.note FROM serving s" OF_MODEL(
		    "s") " ORDER BY m.name, s.id",
		"SELECT s.model, row_number() OVER (ORDER BY s.model, s.id), s.time_s, s.from_number, s.to_number, "
		"s.note"
		" FROM normd_serving s ORDER BY s.model, s.id" },
	    { "INSERT INTO serving(id, model_id, time_s, from_number, to_number, note)"
	      " VALUES(?2, (SELECT id FROM model WHERE name = ?1), ?3, ?4, ?5, ?6)" },
	    "INSERT INTO normd_serving(model, id, time_s, from_number, to_number, note) VALUES($1, $2, $3, $4, $5, "
	    "$6)" },
	{ "sources",
	    { "TITIIBB",
		"SELECT m.name, s.layer_id, s.name, s.time_s, s.count, s.mean, s.var FROM source s" OF_LAYER(
		    "s") " ORDER BY m.name, s.layer_id, s.name",
		"SELECT s.model, s.layer_id, s.name, s.time_s, s.count, s.mean, s.var FROM normd_source s" PG_OF_LAYER(
		    "s") " ORDER BY s.model, s.layer_id, s.name" },
	    { "INSERT INTO source(layer_id, name, time_s, count, mean, var) VALUES(?2, ?3, ?4, ?5, ?6, ?7)" },
	    "INSERT INTO normd_source(model, layer_id, name, time_s, count, mean, var)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7)" },
	{ "windows",
	    { "TIIIIBB",
		"SELECT m.name, w.layer_id, w.switch, w.since_s, w.count, w.mean, w.var FROM drift_window w" OF_LAYER(
		    "w") " ORDER BY m.name, w.layer_id",
		"SELECT w.model, w.layer_id, coalesce(r.n, 0), w.since_s, w.count, w.mean, w.var"
		" FROM normd_window w" PG_OF_LAYER(
		    "w") " LEFT JOIN (SELECT model, id, row_number() OVER (ORDER BY model, id) AS n FROM "
			 "normd_serving) r"
			 " ON r.model = w.model AND r.id = w.switch ORDER BY w.model, w.layer_id" },
	    { "INSERT INTO drift_window(layer_id, switch, since_s, count, mean, var) VALUES(?2, ?3, ?4, ?5, ?6, ?7)" },
	    "INSERT INTO normd_window(model, layer_id, switch, since_s, count, mean, var)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7)" },
	{ "history",
	    { "TIIIIIRRRRRRR",
		"SELECT m.name, h.layer_id, h.number, h.time_s, h.revision, h.num_batches_tracked, h.mean_min,"
		" h.mean_median, h.mean_max, h.var_min, h.var_median, h.var_max, h.drift FROM history h" OF_LAYER(
		    "h") " ORDER BY m.name, h.layer_id, h.number",
		"SELECT h.model, h.layer_id, h.number, h.time_s, h.revision, h.num_batches_tracked, h.mean_min,"
		" h.mean_median, h.mean_max, h.var_min, h.var_median, h.var_max, h.drift FROM normd_history "
		"h" PG_OF_LAYER("h") " ORDER BY h.model, h.layer_id, h.number" },
	    { "INSERT INTO history(layer_id, number, time_s, revision, num_batches_tracked, mean_min, mean_median,"
	      " mean_max, var_min, var_median, var_max, drift)"
	      " VALUES(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)" },
	    "INSERT INTO normd_history(model, layer_id, number, time_s, revision, num_batches_tracked, mean_min,"
	    " mean_median, mean_max, var_min, var_median, var_max, drift)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)" },
	{ "idempotency keys",
	    { "TITBIIII",
		"SELECT m.name, i.layer_id, i.key, i.digest, i.revision, i.num_batches_tracked, i.created_s, i.id"
		" FROM idempotency i" OF_LAYER("i") " ORDER BY i.id",
		"SELECT k.model, k.layer_id, k.key, k.digest, k.revision, k.num_batches_tracked, k.created_s, k.turn"
		" FROM normd_key k" PG_OF_LAYER("k") " ORDER BY k.created_s, k.turn, k.model, k.layer_id, k.key" },
	    { "INSERT INTO idempotency(layer_id, key, digest, revision, num_batches_tracked, created_s)"
	      " VALUES(?2, ?3, ?4, ?5, ?6, ?7)" },
	    "INSERT INTO normd_key(model, layer_id, key, digest, revision, num_batches_tracked, created_s, turn)"
	    " VALUES($1, $2, $3, $4, $5, $6, $7, $8)" },
};

const size_t rows_table_count = sizeof(rows_tables) / sizeof(rows_tables[0]);

_Static_assert(sizeof(rows_tables) / sizeof(rows_tables[0]) <= ROWS_TABLES_MAX, "");
