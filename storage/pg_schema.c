/* SPDX-License-Identifier: MIT */
#include "storage/pg_schema.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

/* Names are compared byte by byte, whatever the database's language. */
#define NAME "text COLLATE \"C\" NOT NULL"
#define NUMBER "bigint NOT NULL"

/* A layer's state in numbers and lists. Lists: float64, little-endian; NULL: never trained, nothing put. */
#define STATE \
	"definition text NOT NULL, revision " NUMBER ", features " NUMBER ", num_batches_tracked " NUMBER \
	", count " NUMBER ", decayed_count double precision NOT NULL, frozen " NUMBER ", sources " NUMBER \
	", changed_s " NUMBER ", running_mean bytea, running_var bytea, weight bytea, bias bytea"

/*
 * Migration i brings the tables from version i to i + 1. Never edit one that was released: append. What columns mean is
 * said in sqlite_schema.c, where they have the same names.
 */
static const char *const first[] = {
	/*
	 * A daemon. `session` is its connection; `done` counts its transactions, so that it finds out whether one was
	 * committed whose COMMIT was not answered. `keys`: how many idempotency keys it has added, less those it has
	 * forgotten. seen_s: the last commit, by the database's clock.
	 */
	"CREATE TABLE normd_daemon(id bigint PRIMARY KEY, session " NUMBER ", done " NUMBER ", keys " NUMBER
	", seen_s " NUMBER ")",
	/*
	 * id 0: the model was deleted, but its counters go on. `mark`, `number`, switch_last: the latest mark, version
	 * and switch. `switch` and `serving`: the latest switch since the model was created, and what it serves.
	 */
	"CREATE TABLE normd_model(name text COLLATE \"C\" PRIMARY KEY, id " NUMBER ", mark " NUMBER ", number " NUMBER
	", switch_last " NUMBER ", switch " NUMBER ", serving " NUMBER ")",
	"CREATE TABLE normd_layer(model " NAME ", name " NAME ", id " NUMBER ", since " NUMBER ", " STATE
	", PRIMARY KEY(model, name))",
	"CREATE INDEX normd_layer_by_id ON normd_layer(model, id)",
	/* `turn`: the order of the keys that a daemon has added in one second. */
	"CREATE TABLE normd_key(model " NAME ", layer_id " NUMBER ", key " NAME
	", digest bytea NOT NULL, revision " NUMBER ", num_batches_tracked " NUMBER ", created_s " NUMBER
	", turn " NUMBER ", PRIMARY KEY(model, layer_id, key))",
	"CREATE INDEX normd_key_by_time ON normd_key(created_s, turn)",
	"CREATE TABLE normd_source(model " NAME ", layer_id " NUMBER ", name " NAME ", time_s " NUMBER ", count " NUMBER
	", mean bytea NOT NULL, var bytea NOT NULL, PRIMARY KEY(model, layer_id, name))",
	/* number NULL: a pin of that daemon. gone_s: since when it is gone; 0: no transaction sees it. */
	"CREATE TABLE normd_version(model " NAME ", id " NUMBER ", model_id " NUMBER ", mark " NUMBER
	", number bigint, created_s " NUMBER ", daemon " NUMBER ", note text, digest bytea, key text, key_digest bytea"
	", gone " NUMBER ", gone_s " NUMBER ", PRIMARY KEY(model, id))",
	"CREATE INDEX normd_version_by_mark ON normd_version(model, model_id, mark)",
	"CREATE INDEX normd_version_pins ON normd_version(id) WHERE number IS NULL",
	"CREATE INDEX normd_version_gone ON normd_version(gone, gone_s)",
	"CREATE TABLE normd_kept(model " NAME ", model_id " NUMBER ", layer_id " NUMBER ", name " NAME
	", first_mark " NUMBER ", last_mark " NUMBER ", " STATE ", PRIMARY KEY(model, layer_id, last_mark))",
	"CREATE INDEX normd_kept_by_name ON normd_kept(model, model_id, name, last_mark)",
	"CREATE INDEX normd_kept_by_mark ON normd_kept(model, model_id, last_mark)",
	"CREATE TABLE normd_model_gone(model " NAME ", model_id " NUMBER ", PRIMARY KEY(model, model_id))",
	"CREATE TABLE normd_alias(model " NAME ", name " NAME ", number " NUMBER ", PRIMARY KEY(model, name))",
	"CREATE TABLE normd_serving(model " NAME ", id " NUMBER ", time_s " NUMBER ", from_number " NUMBER
	", to_number " NUMBER ", note text NOT NULL, PRIMARY KEY(model, id))",
	"CREATE TABLE normd_history(model " NAME ", layer_id " NUMBER ", number " NUMBER ", time_s " NUMBER
	", revision " NUMBER ", num_batches_tracked " NUMBER
	", mean_min double precision NOT NULL, mean_median double precision NOT NULL"
	", mean_max double precision NOT NULL, var_min double precision NOT NULL"
	", var_median double precision NOT NULL, var_max double precision NOT NULL, drift double precision"
	", PRIMARY KEY(model, layer_id, number))",
	"CREATE TABLE normd_history_gone(model " NAME ", layer_id " NUMBER ", PRIMARY KEY(model, layer_id))",
	"CREATE TABLE normd_window(model " NAME ", layer_id " NUMBER ", switch " NUMBER ", since_s " NUMBER
	", count " NUMBER ", mean bytea, var bytea, PRIMARY KEY(model, layer_id))",
	/*
	 * Synchronized steps whose ranks meet here (pg_steps.c), and their shards. `turn`: which of the steps of this
	 * name. `changes`: how often a shard was replaced. `state`: enum meeting_state. led_ms: when a daemon began to
	 * finish it. until_ms: when it must be full; later, how long it is remembered. `result`: the lists that its
	 * ranks normalize by. `code`, `detail`: an error.
	 */
	"CREATE TABLE normd_step(model " NAME ", layer_id " NUMBER ", backward " NUMBER ", step " NAME ", turn " NUMBER
	", world_size " NUMBER ", features " NUMBER ", state " NUMBER ", until_ms " NUMBER ", led_ms " NUMBER
	", changes " NUMBER ", num_batches_tracked bigint, revision bigint, result bytea, code text, detail text"
	", PRIMARY KEY(model, layer_id, backward, step))",
	"CREATE INDEX normd_step_by_time ON normd_step(until_ms)",
	"CREATE TABLE normd_shard(model " NAME ", layer_id " NUMBER ", backward " NUMBER ", step " NAME ", rank " NUMBER
	", digest bytea NOT NULL, shard bytea NOT NULL, PRIMARY KEY(model, layer_id, backward, step, rank))",
	NULL,
};

static const char *const *const migrations[] = { first };

#define SCHEMA_VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

/* The tables that these make, beside normd_schema. */
#define TABLE_COUNT 15

/* For how long others may be at it. */
#define MAKE_US ((uint64_t)30000000)
#define PAUSE_US ((uint64_t)100000)

/* What is there: how many tables of our names, and whether normd_schema is one, with our columns; settings. */
static const char look[] =
    "SELECT current_schema(), current_setting('server_encoding'), current_setting('transaction_read_only'),"
    " current_setting('synchronous_commit', true),"
    " (SELECT CAST(count(*) AS bigint) FROM information_schema.tables WHERE table_schema = current_schema()"
    " AND substr(CAST(table_name AS text), 1, 6) = 'normd_'),"
    " (SELECT CAST(count(*) AS bigint) FROM information_schema.columns WHERE table_schema = current_schema()"
    " AND table_name = 'normd_schema' AND column_name IN ('one', 'version')),"
    " (SELECT CAST(count(*) AS bigint) FROM information_schema.tables WHERE table_schema = current_schema()"
    " AND table_name = 'normd_migration')";

enum { SCHEMA, ENCODING, READ_ONLY, SYNCHRONOUS, TABLES, COLUMNS, UNFINISHED };

struct found {
	int64_t tables, columns, unfinished, version;
};

static int
refuse(struct err *e, const char *why)
{
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the database %s", why);
}

static int
check_settings(const PGresult *r, struct err *e)
{
	if (PQgetisnull(r, 0, SCHEMA))
		return refuse(e, "has no schema of those that its search_path names: create one, or name another");
	if (strcmp(PQgetvalue(r, 0, ENCODING), "UTF8") != 0)
		return refuse(e, "is not in UTF8: create one WITH ENCODING 'UTF8' TEMPLATE template0");
	if (strcmp(PQgetvalue(r, 0, READ_ONLY), "on") == 0)
		return refuse(e,
		    "is read-only, as a standby is: name the primary server, or all, with "
		    "target_session_attrs=read-write");
	if (strcmp(PQgetvalue(r, 0, SYNCHRONOUS), "off") == 0)
		return refuse(
		    e, "has synchronous_commit=off, by which a crash would lose what was acknowledged: set it to on");
	return 0;
}

static int
read_version(struct pg_link *l, const char *sql, int64_t *version, struct err *e)
{
	PGresult *r;

	pg_link_send(l, sql, NULL, -1);
	if (pg_link_wait(l, &r, 1, e) < 0)
		return -1;
	*version = PQntuples(r) == 1 ? pg_get_int(r, 0, 0) : -1;
	PQclear(r);
	return *version >= 0 ? 0 : refuse(e, "has a table normd_schema that is not normd's, or was damaged");
}

static int
find(struct pg_link *l, struct found *f, struct err *e)
{
	PGresult *r;
	int result;

	memset(f, 0, sizeof(*f));
	pg_link_send(l, look, NULL, -1);
	if (pg_link_wait(l, &r, 1, e) < 0)
		return -1;
	result = check_settings(r, e);
	f->tables = pg_get_int(r, 0, TABLES);
	f->columns = pg_get_int(r, 0, COLUMNS);
	f->unfinished = pg_get_int(r, 0, UNFINISHED);
	PQclear(r);
	if (result < 0 || f->tables == 0)
		return result;
	if (f->columns != 2)
		return refuse(e,
		    "has tables called normd_..., but they are not normd's: name another database, or another schema "
		    "by options=-csearch_path=NAME");
	return read_version(l, "SELECT version FROM normd_schema WHERE one = 1", &f->version, e);
}

static int
check_version(const struct found *f, struct err *e)
{
	if (f->version > SCHEMA_VERSION)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "the database was made by a newer normd (schema %" PRId64 "; this one knows %" PRId64
		    "): install that version",
		    f->version, SCHEMA_VERSION);
	if (f->version == SCHEMA_VERSION && f->tables < TABLE_COUNT + 1)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "the database has %" PRId64 " of normd's %d tables: restore a backup", f->tables - 1, TABLE_COUNT);
	return 0;
}

int
pg_schema_look(struct pg_link *l, enum pg_schema_state *state, struct err *e)
{
	struct found f;

	if (find(l, &f, e) < 0 || check_version(&f, e) < 0)
		return -1;
	*state = f.unfinished > 0      ? PG_SCHEMA_UNFINISHED :
	    f.version == 0             ? PG_SCHEMA_NONE :
	    f.version < SCHEMA_VERSION ? PG_SCHEMA_OLDER :
					 PG_SCHEMA_READY;
	return 0;
}

static int
check_finished(const struct found *f, struct err *e)
{
	return f->unfinished == 0 ? 0 :
				    refuse(e,
					"is the unfinished copy of another store: run the same normd migrate again, or "
					"drop its tables");
}

int
pg_schema_check(struct pg_link *l, struct err *e)
{
	struct found f;

	if (find(l, &f, e) < 0 || check_version(&f, e) < 0 || check_finished(&f, e) < 0)
		return -1;
	return f.version == SCHEMA_VERSION ? 0 : refuse(e, "has not got normd's tables any more: restart normd");
}

/* Runs statements in one transaction. */
static int
run(struct pg_link *l, const char *const *statements, struct err *e)
{
	PGresult *none[1];

	for (; *statements != NULL; statements++)
		pg_link_send(l, *statements, NULL, -1);
	return pg_link_wait(l, none, 0, e);
}

static int
migrate(struct pg_link *l, struct err *e)
{
	static const char *const begin[] = {
		"CREATE TABLE IF NOT EXISTS normd_schema(one bigint PRIMARY KEY, version " NUMBER ")",
		"INSERT INTO normd_schema VALUES(1, 0) ON CONFLICT (one) DO NOTHING", NULL
	};
	static const char *const end[] = { "COMMIT", NULL };
	struct pg_params p = { 0 };
	int64_t version;

	pg_int(&p, SCHEMA_VERSION);
	if (run(l, begin, e) < 0)
		return -1;
	pg_link_send(l, "BEGIN", NULL, -1);
	if (read_version(l, "SELECT version FROM normd_schema WHERE one = 1 FOR UPDATE", &version, e) < 0)
		return -1;
	for (int64_t i = version; i < SCHEMA_VERSION; i++)
		if (run(l, migrations[i], e) < 0)
			return -1;
	pg_link_send(l, "UPDATE normd_schema SET version = $1 WHERE one = 1 AND version < $1", &p, -1);
	return run(l, end, e);
}

static void
go_back(struct pg_link *l)
{
	static const char *const rollback[] = { "ROLLBACK", NULL };
	struct err ignored;

	(void)run(l, rollback, &ignored);
}

int
pg_schema_make(struct pg_link *l, struct err *e)
{
	const uint64_t until_us = clock_monotonic_us() + MAKE_US;
	struct found f;

	while (true) {
		if (find(l, &f, e) < 0 || check_version(&f, e) < 0 || check_finished(&f, e) < 0)
			return -1;
		if (f.version == SCHEMA_VERSION || migrate(l, e) == 0)
			return 0;
		if (pg_link_failure(l) != PG_AGAIN || clock_monotonic_us() > until_us)
			return -1;
		go_back(l);
		clock_sleep_us(PAUSE_US);
	}
}
