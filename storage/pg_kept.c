/* SPDX-License-Identifier: MIT */
/*
 * sqlite_kept.c says what is kept and what a gap is. Here others may be about to keep a state for a pin that is dropped
 * at this moment: they have seen it in use. So a pin that is gone is looked at only when all transactions of that time
 * have ended. One daemon does it at a time (pg_lead).
 */
#include "storage/pg_kept.h"

#include <string.h>

#include "storage/pg_backend.h"

/* Longer than any transaction lasts; and a daemon that was not seen for so long will not come back for its pins. */
#define SETTLED_S "60"
#define PIN_LEFT_S "600"
#define DAEMON_LEFT_S "86400"

/* What a slice deletes at most, of each kind: a batch waits for it. */
#define SLICE ((int64_t)100)

#define NUMBERS \
	"definition, revision, features, num_batches_tracked, count, decayed_count, frozen, sources, changed_s" \
	", running_mean, running_var, weight, bias"

/* $1: the model; $2: its mark. */
#define KEEP_STATES \
	"INSERT INTO normd_kept(model, model_id, layer_id, name, first_mark, last_mark, " NUMBERS ")" \
	" SELECT l.model, m.id, l.id, l.name, l.since, $2, " NUMBERS \
	" FROM normd_layer l JOIN normd_model m ON m.name = $1 WHERE l.model = $1 AND l.since <= $2" \
	" AND EXISTS (SELECT 1 FROM normd_version v WHERE v.model = $1 AND v.model_id = m.id AND v.gone = 0" \
	" AND v.mark BETWEEN l.since AND $2) AND l."

int
pg_keep(struct backend *b, const struct layer_identity *layer, uint64_t mark, struct err *e)
{
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, layer->model);
	pg_int(&p, (int64_t)mark);
	pg_text(&p, layer->name);
	pg_int(&p, layer->id);
	pg_send(b, KEEP_STATES "name = $3 AND l.id = $4", &p);
	return 0;
}

void
pg_kept_send_model(struct backend *b, const struct pg_params *p)
{
	pg_send(b, KEEP_STATES "frozen <> $3", p);
}

/* A gap of a model: between the marks `begin` and `end`, without both. */
struct gap {
	char model[STORE_NAME_MAX + 1];
	int64_t model_id;
	int64_t begin, end;
};

static void
gap_params(struct pg_params *p, const struct gap *g)
{
	pg_text(p, g->model);
	pg_int(p, g->model_id);
	pg_int(p, g->begin);
	pg_int(p, g->end);
}

/* Runs a query of a gap. */
static int
find(struct backend *b, const char *sql, struct gap *g, bool *found, struct err *e)
{
	PGresult *r;

	if (pg_ask(b, sql, NULL, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	if (*found) {
		pg_get_text(r, 0, 0, g->model, sizeof(g->model));
		g->model_id = pg_get_int(r, 0, 1);
		g->begin = pg_get_int(r, 0, 2);
		g->end = pg_get_int(r, 0, 3);
	}
	PQclear(r);
	return 0;
}

/* Deletes states that were kept for marks within a gap alone. *more: there may be others. */
static int
delete_kept(struct backend *b, const struct gap *g, bool *more, struct err *e)
{
	static const char sql[] =
	    "DELETE FROM normd_kept WHERE model = $1 AND (layer_id, last_mark) IN (SELECT layer_id, last_mark"
	    " FROM normd_kept WHERE model = $1 AND model_id = $2 AND last_mark > $3 AND last_mark < $4 AND first_mark "
	    "> $3"
	    " LIMIT $5)";
	struct pg_params p = { 0 };
	size_t deleted;

	gap_params(&p, g);
	pg_int(&p, SLICE);
	if (pg_change(b, sql, &p, &deleted, e) < 0)
		return -1;
	*more = deleted == (size_t)SLICE;
	return 0;
}

/* Once a gap has no kept states: its versions, but those whose keys may still be used. */
static void
forget_versions(struct backend *b, const struct gap *g, int64_t keys_since_s)
{
#define OF_GAP \
	" WHERE model = $1 AND model_id = $2 AND mark > $3 AND mark < $4 AND gone = 1 AND gone_s < " PG_NOW " -" \
	" " SETTLED_S
	struct pg_params p = { 0 };

	gap_params(&p, g);
	pg_int(&p, keys_since_s);
	pg_send(b, "UPDATE normd_version SET gone = 2" OF_GAP " AND key IS NOT NULL AND created_s >= $5", &p);
	pg_send(b, "DELETE FROM normd_version" OF_GAP " AND (key IS NULL OR created_s < $5)", &p);
}

/* A slice of what a model that was deleted has left: its states go first, then its versions. */
static int
forget_model(struct backend *b, bool *more, struct err *e)
{
	static const char sql[] =
	    "SELECT model, model_id, CAST(-1 AS bigint), 9223372036854775807 FROM normd_model_gone"
	    " ORDER BY model, model_id LIMIT 1";
	struct pg_params p = { 0 };
	struct gap all;
	bool found;

	if (find(b, sql, &all, &found, e) < 0 || (found && delete_kept(b, &all, more, e) < 0))
		return -1;
	if (!found || *more)
		return 0;
	*more = true; /* there may be another model */
	gap_params(&p, &all);
	p.count = 2;
	pg_send(b, "DELETE FROM normd_version WHERE model = $1 AND model_id = $2", &p);
	pg_send(b, "DELETE FROM normd_model_gone WHERE model = $1 AND model_id = $2", &p);
	return 0;
}

/* A slice of what versions that are gone have left. */
static int
forget_gap(struct backend *b, int64_t keys_since_s, bool *more, struct err *e)
{
#define EDGE(which, side, none) \
	", coalesce((SELECT " which \
	"(v.mark) FROM normd_version v WHERE v.model = g.model AND v.model_id = g.model_id" \
	" AND v.gone = 0 AND v.mark " side " g.mark), " none ")"
	static const char sql[] = "SELECT g.model, g.model_id" EDGE("max", "<", "-1")
	    EDGE("min", ">", "9223372036854775807") " FROM (SELECT model, model_id, mark FROM normd_version"
						    " WHERE gone = 1 AND gone_s < " PG_NOW " - " SETTLED_S
						    " ORDER BY gone_s LIMIT 1) g";
	struct gap g;
	bool found;

	if (find(b, sql, &g, &found, e) < 0 || (found && delete_kept(b, &g, more, e) < 0))
		return -1;
	if (!found || *more)
		return 0;
	*more = true; /* there may be another gap */
	forget_versions(b, &g, keys_since_s);
	return 0;
}

/* What daemons have left that have ended, or were killed. */
static void
forget_daemons(struct backend *b)
{
	static const char pins[] =
	    "UPDATE normd_version SET gone = 1, gone_s = " PG_NOW " WHERE number IS NULL AND gone = 0"
	    " AND daemon NOT IN (SELECT id FROM normd_daemon WHERE seen_s > " PG_NOW " - " PIN_LEFT_S ")",
			  keys[] =
			      "UPDATE normd_daemon SET keys = keys + CAST(coalesce((SELECT sum(keys) FROM normd_daemon"
			      " WHERE seen_s < " PG_NOW " - " DAEMON_LEFT_S
			      " AND id <> $1), 0) AS bigint) WHERE id = $1",
			  rows[] =
			      "DELETE FROM normd_daemon WHERE seen_s < " PG_NOW " - " DAEMON_LEFT_S " AND id <> $1";
	struct pg_params p = { 0 };

	pg_int(&p, pg_self(b)->daemon);
	pg_send(b, pins, NULL);
	pg_send(b, keys, &p);
	pg_send(b, rows, &p);
}

static void
forget_remembered(struct backend *b, int64_t keys_since_s)
{
	struct pg_params p = { 0 };

	pg_int(&p, keys_since_s);
	pg_send(b, "DELETE FROM normd_version WHERE gone = 2 AND created_s < $1", &p);
}

int
pg_reclaim(struct backend *b, int64_t keys_since_s, bool *more, struct err *e)
{
	bool leads;

	*more = false;
	if (pg_lead(b, &leads, e) < 0)
		return -1;
	if (!leads)
		return 0;
	if (forget_model(b, more, e) < 0 || (!*more && forget_gap(b, keys_since_s, more, e) < 0))
		return -1;
	if (*more)
		return 0;
	forget_daemons(b);
	forget_remembered(b, keys_since_s);
	return 0;
}
