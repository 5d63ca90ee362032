/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/pg_schema.h"
#include "storage/rows.h"

/* How many rows are fetched at once: more and more, while all together take little memory. */
#define FETCHED_MAX 256
#define FETCHED_BYTES ((size_t)4 << 20)

/* A daemon that was seen by the database so lately may still run: it is seen every minute. */
#define SEEN_S "90"

struct rows_pg {
	struct rows rows; /* first */
	char *url;
	struct pg_link *link;
	const char *types;
	PGresult *fetched;
	int at;        /* the row of `fetched` that is next */
	int wanted;    /* how many were asked for */
	bool has_more; /* rows may follow those that are fetched */
	bool reads, writes;
};

static int
run(struct rows_pg *s, const char *sql, const struct pg_params *p, struct err *e)
{
	PGresult *none[1];

	pg_link_send(s->link, sql, p, -1);
	return pg_link_wait(s->link, none, 0, e);
}

static int
ask_int(struct rows_pg *s, const char *sql, int64_t *value, struct err *e)
{
	PGresult *r;

	pg_link_send(s->link, sql, NULL, -1);
	if (pg_link_wait(s->link, &r, 1, e) < 0)
		return -1;
	*value = PQntuples(r) > 0 ? pg_get_int(r, 0, 0) : 0;
	PQclear(r);
	return 0;
}

/* ---- reading: by a cursor, in a transaction that sees one state */

static int
read_rows(struct rows *r, const struct rows_query *q, uint64_t skip, struct err *e)
{
	struct rows_pg *s = (struct rows_pg *)r;
	char move[64];
	size_t size = strlen(q->pg) + 64;
	char *declare = malloc(size);
	int result;

	if (declare == NULL)
		return err_fail_memory(e);
	snprintf(declare, size, "DECLARE rows NO SCROLL CURSOR FOR %s", q->pg);
	snprintf(move, sizeof(move), "MOVE FORWARD %" PRIu64 " FROM rows", skip);
	if (s->reads)
		pg_link_send(s->link, "CLOSE rows", NULL, -1);
	else
		pg_link_send(s->link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, -1);
	pg_link_send(s->link, declare, NULL, -1);
	if (skip > 0)
		pg_link_send(s->link, move, NULL, -1);
	s->reads = true;
	result = pg_link_wait(s->link, NULL, 0, e);
	free(declare);
	PQclear(s->fetched);
	s->fetched = NULL;
	s->at = 0;
	s->wanted = 1;
	s->has_more = true;
	s->types = q->types;
	return result;
}

static int
fetch(struct rows_pg *s, struct err *e)
{
	const size_t bytes = s->fetched == NULL ? 0 : PQresultMemorySize(s->fetched);
	char sql[64];

	if (s->fetched != NULL && bytes < FETCHED_BYTES / 2 && s->wanted < FETCHED_MAX)
		s->wanted *= 2;
	else if (bytes > FETCHED_BYTES && s->wanted > 1)
		s->wanted /= 2;
	PQclear(s->fetched);
	s->fetched = NULL;
	s->at = 0;
	snprintf(sql, sizeof(sql), "FETCH FORWARD %d FROM rows", s->wanted);
	pg_link_send(s->link, sql, NULL, -1);
	if (pg_link_wait(s->link, &s->fetched, 1, e) < 0)
		return -1;
	s->has_more = PQntuples(s->fetched) == s->wanted;
	return 0;
}

static void
take_cell(const PGresult *r, int row, int column, char type, struct cell *c)
{
	*c = (struct cell){ .type = type, .null = PQgetisnull(r, row, column) != 0 };
	if (type == 'I')
		c->number = pg_get_int(r, row, column);
	else if (type == 'R')
		c->real = pg_get_double(r, row, column);
	else
		c->bytes = PQgetvalue(r, row, column);
	c->length = (size_t)PQgetlength(r, row, column);
}

static int
next_row(struct rows *r, struct cell cells[ROW_CELLS_MAX], bool *found, struct err *e)
{
	struct rows_pg *s = (struct rows_pg *)r;

	if ((s->fetched == NULL || s->at == PQntuples(s->fetched)) && s->has_more && fetch(s, e) < 0)
		return -1;
	*found = s->fetched != NULL && s->at < PQntuples(s->fetched);
	for (int i = 0; *found && s->types[i] != '\0'; i++)
		take_cell(s->fetched, s->at, i, s->types[i], &cells[i]);
	s->at += *found;
	return 0;
}

/* ---- writing */

static int
put_row(struct rows *r, const struct rows_table *t, const struct cell *cells, struct err *e)
{
	struct rows_pg *s = (struct rows_pg *)r;
	struct pg_params p = { 0 };

	(void)e;
	if (!s->writes)
		pg_link_send(s->link, "BEGIN", NULL, -1);
	s->writes = true;
	for (size_t i = 0; t->read.types[i] != '\0'; i++) {
		const struct cell *c = &cells[i];

		if (c->type == 'I' && !c->null)
			pg_int(&p, c->number);
		else if (c->type == 'R')
			pg_known_double(&p, c->null ? NAN : c->real);
		else if (c->type == 'B')
			pg_bytes(&p, c->null ? NULL : c->length > 0 ? c->bytes : "", c->length);
		else
			pg_text(&p, c->null ? NULL : c->bytes);
	}
	pg_link_send(s->link, t->pg, &p, 1);
	return 0;
}

static int
commit(struct rows *r, const struct rows_progress *progress, struct err *e)
{
	struct rows_pg *s = (struct rows_pg *)r;
	struct pg_params p = { 0 };

	if (!s->writes)
		pg_link_send(s->link, "BEGIN", NULL, -1);
	s->writes = false;
	pg_text(&p, progress->source);
	pg_int(&p, (int64_t)progress->table);
	pg_int(&p, (int64_t)progress->rows);
	pg_link_send(s->link, "UPDATE normd_migration SET source = $1, tables = $2, rows = $3", &p, 1);
	return run(s, "COMMIT", NULL, e);
}

/* Keys are counted in a daemon's row; this one's never comes again. */
static int
finish(struct rows *r, struct err *e)
{
	static const char count[] = "INSERT INTO normd_daemon(id, session, done, keys, seen_s)"
				    " SELECT $1, 0, 0, CAST(count(*) AS bigint), 0 FROM normd_key";
	struct rows_pg *s = (struct rows_pg *)r;
	struct pg_params p = { 0 };

	if (s->reads)
		pg_link_send(s->link, "COMMIT", NULL, -1);
	s->reads = false;
	pg_int(&p, pg_random_id());
	pg_link_send(s->link, "BEGIN", NULL, -1);
	pg_link_send(s->link, count, &p, 1);
	pg_link_send(s->link, "DROP TABLE normd_migration", NULL, -1);
	return run(s, "COMMIT", NULL, e);
}

static void
close_rows(struct rows *r)
{
	struct rows_pg *s = (struct rows_pg *)r;

	PQclear(s->fetched);
	pg_link_free(s->link);
	free(s->url);
	free(s);
}

static const struct rows_ops ops = { read_rows, next_row, put_row, commit, finish, close_rows };

/* ---- opening */

static struct rows_pg *
connect_to(const char *url, enum pg_schema_state *state, struct err *e)
{
	struct rows_pg *s = calloc(1, sizeof(*s));
	bool fresh;

	if (s == NULL) {
		err_set_memory(e);
		return NULL;
	}
	s->rows.ops = &ops;
	s->url = strdup(url);
	s->link = s->url == NULL ? NULL : pg_link_new(s->url);
	if (s->link == NULL)
		err_set_memory(e);
	else if (pg_link_connect(s->link, &fresh, e) == 0 && run(s, "SET statement_timeout = 0", NULL, e) == 0 &&
	    run(s, "SET idle_in_transaction_session_timeout = 0", NULL, e) == 0 &&
	    pg_schema_look(s->link, state, e) == 0) {
		pg_link_be_patient(s->link, PG_PATIENT);
		return s;
	}
	close_rows(&s->rows);
	return NULL;
}

static int
check_no_daemon(struct rows_pg *s, struct err *e)
{
	int64_t count = 0;

	if (ask_int(s, "SELECT CAST(count(*) AS bigint) FROM normd_daemon WHERE seen_s > " PG_NOW " - " SEEN_S, &count,
		e) < 0)
		return -1;
	if (count == 0)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE,
	    "the database has %" PRId64 " daemon%s that ran within the last " SEEN_S
	    " seconds: stop normd first; after a kill, wait so long",
	    count, err_plural((uint64_t)count));
}

struct rows *
rows_pg_source(const char *url, struct err *e)
{
	enum pg_schema_state state;
	struct rows_pg *s = connect_to(url, &state, e);

	if (s == NULL)
		return NULL;
	if (state != PG_SCHEMA_READY)
		err_set(e, ERR_STORAGE_UNAVAILABLE,
		    state == PG_SCHEMA_NONE ?
			"the database has no tables of normd: it contains no store" :
			state == PG_SCHEMA_UNFINISHED ?
			"the database is an unfinished copy of another store" :
			"the database was made by an older normd: start normd on it once, and stop it");
	else if (check_no_daemon(s, e) == 0)
		return &s->rows;
	close_rows(&s->rows);
	return NULL;
}

static int
read_progress(struct rows_pg *s, struct rows_progress *p, struct err *e)
{
	PGresult *r;

	pg_link_send(s->link, "SELECT source, tables, rows FROM normd_migration", NULL, -1);
	if (pg_link_wait(s->link, &r, 1, e) < 0)
		return -1;
	if (PQntuples(r) == 1) {
		pg_get_text(r, 0, 0, p->source, sizeof(p->source));
		p->table = (uint64_t)pg_get_int(r, 0, 1);
		p->rows = (uint64_t)pg_get_int(r, 0, 2);
	}
	PQclear(r);
	return 0;
}

static int
begin_copy(struct rows_pg *s, struct err *e)
{
	int64_t count = 0;

	if (pg_schema_make(s->link, e) < 0 || check_no_daemon(s, e) < 0 ||
	    ask_int(s, "SELECT CAST(count(*) AS bigint) FROM normd_model", &count, e) < 0)
		return -1;
	if (count > 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "the database is not empty: name another one, or another schema by options=-csearch_path=NAME");
	pg_link_send(s->link, "BEGIN", NULL, -1);
	pg_link_send(s->link,
	    "CREATE TABLE normd_migration(source text NOT NULL, tables bigint NOT NULL, rows bigint NOT NULL)", NULL,
	    -1);
	pg_link_send(s->link, "INSERT INTO normd_migration VALUES('', 0, 0)", NULL, 1);
	return run(s, "COMMIT", NULL, e);
}

struct rows *
rows_pg_target(const char *url, struct rows_progress *p, struct err *e)
{
	enum pg_schema_state state;
	struct rows_pg *s = connect_to(url, &state, e);

	memset(p, 0, sizeof(*p));
	if (s == NULL)
		return NULL;
	if ((state == PG_SCHEMA_UNFINISHED ? read_progress(s, p, e) : begin_copy(s, e)) == 0)
		return &s->rows;
	close_rows(&s->rows);
	return NULL;
}
