/* SPDX-License-Identifier: MIT */
#include "tests/unit/scratch_store.h"

#include <postgresql/libpq-fe.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/offline.h"
#include "storage/sqlite_errors.h"
#include "tests/unit/opaque.h"
#include "tests/unit/unit.h"

#define TEMPLATE "/tmp/normd-unit-XXXXXX"

char scratch_directory[] = TEMPLATE, scratch_path[sizeof(TEMPLATE "/s.db")], scratch_url[100];

static sem_t done;

bool
scratch_is_postgresql(void)
{
	const char *kind = getenv("NORMD_TEST_STORE");

	return kind != NULL && strcmp(kind, "postgresql") == 0;
}

void
scratch_add_of_sqlite(TCase *tc, const TTest *test)
{
	if (!scratch_is_postgresql())
		tcase_add_test(tc, test);
}

int
scratch_rounds(int rounds)
{
	return scratch_is_postgresql() ? (rounds + 2) / 3 : rounds;
}

/*
 * An empty schema, which the tests of a program use one after the other: Check runs each in a process of its own. To
 * make all tables anew would take longer than most tests.
 */
static void
empty_schema(const char *name)
{
	static const char sql[] =
	    "CREATE SCHEMA IF NOT EXISTS \"%s\"; DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables"
	    " WHERE schemaname = '%s' AND tablename <> 'normd_schema'"
	    " LOOP EXECUTE format('DELETE FROM %%I.%%I', '%s', t); END LOOP; END $$";
	PGconn *c = PQconnectdb("options=-cclient_min_messages=warning");
	char text[1000];
	PGresult *r;

	snprintf(text, sizeof(text), sql, name, name, name);
	r = PQexec(c, text);
	ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK, "%s: %s", text, PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
}

void
scratch_setup(void)
{
	char schema[40];

	strcpy(scratch_directory, TEMPLATE);
	ck_assert_ptr_nonnull(mkdtemp(scratch_directory));
	snprintf(scratch_path, sizeof(scratch_path), "%s/s.db", scratch_directory);
	snprintf(scratch_url, sizeof(scratch_url), "sqlite:%s", scratch_path);
	if (scratch_is_postgresql()) {
		snprintf(schema, sizeof(schema), "normd_unit_%ld", (long)getppid());
		empty_schema(schema);
		snprintf(scratch_url, sizeof(scratch_url), "postgresql:///?options=-csearch_path%%3D%s", schema);
	}
	sem_init(&done, 0, 0);
}

void
scratch_teardown(void)
{
	unlink(scratch_path);
	rmdir(scratch_directory);
	sem_destroy(&done);
}

struct store *
scratch_open(void)
{
	return scratch_open_with(SCRATCH_QUEUE_MAX, 0);
}

struct store *
scratch_open_with(size_t queue_max, unsigned key_lifetime_s)
{
	return scratch_open_keys(queue_max, key_lifetime_s, 0);
}

struct store *
scratch_open_options(struct store_options options)
{
	return scratch_open_cache(options, 1 << 20);
}

struct store *
scratch_open_cache(struct store_options options, size_t cache_bytes)
{
	struct err e = { 0 };
	struct store *s;

	options.url = scratch_url;
	options.cache_bytes_max = cache_bytes;
	options.sources_bytes_max = 16 << 20;
	options.definitions = opaque_definitions;
	options.max_staleness_us = (uint64_t)3600 * 1000000; /* nobody else writes, however slow the machine is */
	s = store_open(&options, &e);
	ck_assert_msg(s != NULL, "%s", e.detail);
	return s;
}

struct store *
scratch_open_keys(size_t queue_max, unsigned key_lifetime_s, uint64_t keys_max)
{
	return scratch_open_options(
	    (struct store_options){ .queue_max = queue_max, .key_lifetime_s = key_lifetime_s, .keys_max = keys_max });
}

struct store *
scratch_open_history(unsigned interval_s)
{
	return scratch_open_options(
	    (struct store_options){ .queue_max = SCRATCH_QUEUE_MAX, .history_interval_s = interval_s });
}

static void
post(struct store_op *op)
{
	(void)op;
	sem_post(&done);
}

void
scratch_submit(struct store *s, struct store_op *op)
{
	struct err e = { 0 };

	if (op->done == NULL)
		op->done = post;
	ck_assert_msg(store_submit(s, op, &e) == 0, "%s", e.detail);
}

void
scratch_submit_change(struct store *s, struct scratch_change *c)
{
	if (c->write.model == NULL)
		c->write.model = "m";
	if (c->write.layer == NULL)
		c->write.layer = "l";
	c->op.kind = STORE_CHANGE;
	c->op.change.writes = &c->write;
	c->op.change.count = 1;
	scratch_submit(s, &c->op);
}

void
scratch_wait(unsigned count)
{
	while (count-- > 0)
		sem_wait(&done);
}

struct store_op
scratch_run(struct store *s, struct store_op op)
{
	scratch_submit(s, &op);
	scratch_wait(1);
	return op;
}

struct scratch_change
scratch_run_change(struct store *s, struct scratch_change c)
{
	scratch_submit_change(s, &c);
	scratch_wait(1);
	return c;
}

struct store_written
scratch_write(struct store *s, struct store_write write)
{
	struct scratch_change c = scratch_run_change(s, (struct scratch_change){ .write = write });

	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	snapshot_unref(c.write.result.snapshot);
	return c.write.result;
}

void
scratch_create(struct store *s, const char *layer)
{
	ck_assert(scratch_write(
	    s, (struct store_write){ .kind = STORE_LAYER_CREATE, .layer = layer, .create.definition = "d" })
		      .created);
}

static const unsigned char some_digest[SHA256_BYTES] = "0123456789abcdef0123456789abcde";

uint64_t
scratch_make_version(struct store *s)
{
	struct store_version made = { 0 };
	struct scratch_change c = scratch_run_change(s, (struct scratch_change){ .write = { .kind = STORE_PIN } });

	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	c.write.kind = STORE_VERSION_MAKE;
	c.write.version.note = "";
	c.write.version.digest = some_digest;
	c.write.version.made = &made;
	c = scratch_run_change(s, (struct scratch_change){ .write = c.write });
	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	store_pin_release(c.write.version.pin);
	return made.number;
}

const struct snapshot *
scratch_layer(struct store *s, const char *layer)
{
	return scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "m", .layer = layer } })
	    .get.snapshot;
}

void
scratch_alter(const char *sql)
{
	struct err e = { 0 };
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(scratch_path, &db), SQLITE_OK);
	ck_assert_msg(sqlite_run(db, sql, &e) == 0, "%s: %s", sql, e.detail);
	sqlite3_close(db);
}

/* The query of a table of SQLite's, for the table of PostgreSQL that has the same rows. */
static void
translate(const char *sql, char *out, size_t size)
{
	static const char *const tables[][2] = { { "idempotency", "normd_key" }, { "drift_window", "normd_window" },
		{ "history_gone", "normd_history_gone" }, { "history", "normd_history" }, { "kept", "normd_kept" },
		{ "version", "normd_version" }, { "source", "normd_source" } };
	const char *from = strstr(sql, "FROM ");

	ck_assert_ptr_nonnull(from);
	from += strlen("FROM ");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const size_t length = strlen(tables[i][0]);

		if (strncmp(from, tables[i][0], length) == 0) {
			snprintf(out, size, "%.*s%s%s", (int)(from - sql), sql, tables[i][1], from + length);
			return;
		}
	}
	ck_abort_msg("%s: no table of PostgreSQL's", sql);
}

static int
ask_postgresql(const char *sql)
{
	PGconn *c = PQconnectdb(scratch_url);
	char translated[1000];
	PGresult *r;
	int answer;

	translate(sql, translated, sizeof(translated));
	r = PQexec(c, translated);
	ck_assert_msg(PQresultStatus(r) == PGRES_TUPLES_OK, "%s: %s", translated, PQerrorMessage(c));
	answer = PQntuples(r) > 0 ? atoi(PQgetvalue(r, 0, 0)) : 0;
	PQclear(r);
	PQfinish(c);
	return answer;
}

int
scratch_ask(const char *sql)
{
	struct err e = { 0 };
	sqlite3 *db;
	int answer = 0;

	if (scratch_is_postgresql())
		return ask_postgresql(sql);
	ck_assert_int_eq(sqlite3_open(scratch_path, &db), SQLITE_OK);
	ck_assert_msg(sqlite_int(db, scratch_path, sql, &answer, &e) == 0, "%s: %s", sql, e.detail);
	sqlite3_close(db);
	return answer;
}

struct store *
scratch_pass_time(struct store *s)
{
	PGconn *c;

	if (!scratch_is_postgresql())
		return s;
	store_close(s);
	c = PQconnectdb(scratch_url);
	PQclear(PQexec(c, "UPDATE normd_version SET gone_s = 0; UPDATE normd_daemon SET seen_s = 0"));
	PQfinish(c);
	return scratch_open();
}

char scratch_found[1024];

static int
judge(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e)
{
	(void)parsed;
	(void)features;
	(void)weight_count;
	(void)bias_count;
	(void)e;
	return 0;
}

static void
take_damage(void *arg, const char *damage)
{
	const size_t len = strlen(scratch_found);

	(void)arg;
	snprintf(scratch_found + len, sizeof(scratch_found) - len, "%s\n", damage);
}

static void
take_progress(void *arg, const char *what, uint64_t count, uint64_t total)
{
	(void)arg;
	(void)what;
	(void)count;
	(void)total;
}

uint64_t
scratch_check(void)
{
	const struct offline_work work = {
		.definitions = opaque_definitions, .judge = judge, .found = take_damage, .progress = take_progress
	};
	struct offline_report report;
	struct err e = { 0 };

	scratch_found[0] = '\0';
	if (scratch_is_postgresql())
		return 0; /* `normd check` is for files */
	ck_assert_msg(store_check(scratch_url, &work, &report, &e) == 0, "%s", e.detail);
	return report.damages;
}
