/* SPDX-License-Identifier: MIT */
#include "storage/pg_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/pg_url.h"

#define CONNECT_US ((uint64_t)3000000)
#define PATIENT_US ((uint64_t)3600 * 1000000)
#define WAIT_US ((uint64_t)10000000) /* longer than the statement_timeout that the server is given */
#define HURRY_US ((uint64_t)3000000)
#define REST_US ((uint64_t)500000) /* between two tries to connect */

struct pg_link {
	const char *url;
	char *options;
	PGconn *connection; /* NULL: none */
	uint64_t patience_us;
	size_t sent; /* statements whose results were not read */
	size_t rows_room;
	int *rows;         /* of each of them, how many it must change */
	bool lacks_memory; /* one could not be noted: the wait fails */
	enum pg_failure failure;
	bool away;
	uint64_t rest_until_us;
};

/* ---- the connection */

/* What the server is told where the URL does not say otherwise. Those of the URL come later, and win. */
static const char *const names[] = { "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"tcp_user_timeout", "application_name", "client_encoding", "dbname", "options", NULL };
static const char settings[] = "-c statement_timeout=8s -c lock_timeout=5s -c idle_in_transaction_session_timeout=4s"
			       " -c default_transaction_isolation=read\\ committed";

struct pg_link *
pg_link_new(const char *url)
{
	struct pg_link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->url = url;
	l->patience_us = WAIT_US;
	l->options = pg_url_options(url, settings);
	if (l->options != NULL)
		return l;
	free(l);
	return NULL;
}

static void
disconnect(struct pg_link *l)
{
	PQfinish(l->connection);
	l->connection = NULL;
	l->sent = 0;
	l->lacks_memory = false;
}

void
pg_link_free(struct pg_link *l)
{
	if (l == NULL)
		return;
	disconnect(l);
	free(l->options);
	free(l->rows);
	free(l);
}

/* The message of the server or of libpq, whose lines become one. */
static int
fail(struct pg_link *l, enum pg_failure failure, enum err_code code, const char *what, const char *message,
    struct err *e)
{
	char line[300];
	size_t n = 0;

	for (; *message != '\0' && n + 1 < sizeof(line); message++)
		if (*message != '\n' || (message[1] != '\0' && message[1] != '\n'))
			line[n++] = *message == '\n' ? ' ' : *message;
	line[n] = '\0';
	l->failure = failure;
	err_set(e, code, "%s: %s", what, line);
	e->retry_after_s = 1;
	return -1;
}

static int
lose(struct pg_link *l, const char *what, struct err *e)
{
	(void)fail(l, PG_LOST, ERR_STORAGE_UNAVAILABLE, what,
	    l->connection != NULL ? PQerrorMessage(l->connection) : "no memory", e);
	disconnect(l);
	l->away = true;
	return -1;
}

/* Waits until the socket is ready for `events`. False: the time is over, or it cannot be waited for. */
static bool
ready(PGconn *connection, short events, uint64_t until_us)
{
	struct pollfd p = { .fd = PQsocket(connection), .events = events };
	uint64_t now;
	int rc;

	do {
		now = clock_monotonic_us();
		if (now >= until_us || p.fd < 0)
			return false;
		rc = poll(&p, 1, (int)((until_us - now) / 1000) + 1);
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* libpq would print the server's notices among the lines of the log. */
static void
ignore_notice(void *arg, const char *message)
{
	(void)arg, (void)message;
}

static PGconn *
begin_to_connect(const struct pg_link *l)
{
	const char *const values[] = { "3", "5", "2", "3", "10000", "normd", "UTF8", l->url, l->options, NULL };

	return PQconnectStartParams(names, values, 1);
}

static int
finish_to_connect(struct pg_link *l, struct err *e)
{
	const uint64_t until_us = clock_monotonic_us() + CONNECT_US;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (l->connection == NULL || PQstatus(l->connection) == CONNECTION_BAD)
		return lose(l, "the database cannot be reached", e);
	(void)PQsetNoticeProcessor(l->connection, ignore_notice, NULL);
	while (status != PGRES_POLLING_OK) {
		if (!ready(l->connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us))
			return lose(l, "the database did not answer in time", e);
		status = PQconnectPoll(l->connection);
		if (status == PGRES_POLLING_FAILED)
			return lose(l, "the database cannot be reached", e);
	}
	if (PQsetnonblocking(l->connection, 1) != 0 || PQenterPipelineMode(l->connection) != 1)
		return lose(l, "the database", e);
	return 0;
}

int
pg_link_connect(struct pg_link *l, bool *fresh, struct err *e)
{
	*fresh = false;
	if (pg_link_stands(l))
		return 0;
	if (l->away && clock_monotonic_us() < l->rest_until_us)
		return fail(l, PG_LOST, ERR_STORAGE_UNAVAILABLE, "the database is away", "it was tried just now", e);
	disconnect(l);
	l->connection = begin_to_connect(l);
	if (finish_to_connect(l, e) < 0) {
		l->rest_until_us = clock_monotonic_us() + REST_US;
		return -1;
	}
	l->away = false;
	*fresh = true;
	return 0;
}

void
pg_link_hang_up(struct pg_link *l)
{
	disconnect(l);
}

void
pg_link_drop(struct pg_link *l)
{
	disconnect(l);
	l->failure = PG_LOST;
	l->away = true;
	l->rest_until_us = clock_monotonic_us() + REST_US;
}

/* ---- statements */

static bool
note_rows(struct pg_link *l, int rows)
{
	const size_t room = l->rows_room == 0 ? 64 : 2 * l->rows_room;
	int *more;

	if (l->sent == l->rows_room) {
		more = realloc(l->rows, room * sizeof(*more));
		if (more == NULL)
			return false;
		l->rows = more;
		l->rows_room = room;
	}
	l->rows[l->sent] = rows;
	return true;
}

void
pg_link_send(struct pg_link *l, const char *sql, const struct pg_params *p, int rows)
{
	static const struct pg_params none;

	if (p == NULL)
		p = &none;
	if (l->connection == NULL || l->lacks_memory)
		return;
	if (p->lacks_memory || !note_rows(l, rows) ||
	    PQsendQueryParams(l->connection, sql, p->count, p->types, p->values, p->lengths, p->formats, 1) != 1) {
		l->lacks_memory = true;
		return;
	}
	l->sent++;
}

/* Sends all that waits to be sent, and takes in what has come, until a result is there or `until_us`. */
static bool
has_result(struct pg_link *l, uint64_t until_us)
{
	int unsent;

	while (true) {
		unsent = PQflush(l->connection);
		if (unsent < 0)
			return false;
		if (unsent == 0 && !PQisBusy(l->connection))
			return true;
		if (!ready(l->connection, (short)(POLLIN | (unsent ? POLLOUT : 0)), until_us) ||
		    PQconsumeInput(l->connection) != 1)
			return false;
		if (!PQisBusy(l->connection))
			return true;
	}
}

/*
 * Class 40: others were in the way; 55P03: a lock took too long. 23505 and 22P02: others have inserted the same row, or
 * changed it, meanwhile (PG_GUARD).
 */
static const char *const again[] = { "40001", "40P01", "55P03", "23505", "22P02", NULL };

/* 40003: the server does not know; 57P0x, 25P03: it has ended the session; class 08: the connection. */
static const char *const lost[] = { "40003", "57P01", "57P02", "57P03", "25P03", "08", NULL };

static bool
begins_with_any(const char *state, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (strncmp(state, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

static enum pg_failure
failure_of(const char *state)
{
	if (state == NULL || begins_with_any(state, lost))
		return PG_LOST;
	return begins_with_any(state, again) ? PG_AGAIN : PG_FINAL;
}

/* What a result means; 0 if it is good. */
static int
judge(struct pg_link *l, const PGresult *r, int rows, struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		if (rows < 0 || strtol(PQcmdTuples((PGresult *)(uintptr_t)r), NULL, 10) == rows)
			return 0;
		return fail(
		    l, PG_AGAIN, ERR_STORAGE_UNAVAILABLE, "the database", "others have changed it meanwhile", e);
	case PGRES_PIPELINE_ABORTED:
		return -1; /* because of one before, which has said why */
	default:
		return fail(l, failure_of(state),
		    state != NULL && strcmp(state, "53100") == 0 ? ERR_STORAGE_FULL : ERR_STORAGE_UNAVAILABLE,
		    "the database", PQresultErrorMessage(r), e);
	}
}

/* Reads the results of all statements, and the sync behind them. -1: one has failed, or the connection is lost. */
static int
read_results(struct pg_link *l, PGresult **results, size_t count, struct err *e)
{
	const uint64_t until_us = clock_monotonic_us() + l->patience_us;
	const size_t sent = l->sent;
	int result = 0;
	PGresult *r;

	for (size_t i = 0; i <= sent;) {
		if (!has_result(l, until_us))
			return lose(l, "the database", e);
		r = PQgetResult(l->connection);
		if (r == NULL && PQstatus(l->connection) == CONNECTION_BAD)
			return lose(l, "the database", e);
		if (r == NULL)
			continue; /* between two statements */
		if (PQresultStatus(r) != PGRES_PIPELINE_SYNC && result == 0)
			result = judge(l, r, l->rows[i], e);
		if (i + count >= sent && i < sent)
			results[i + count - sent] = r;
		else
			PQclear(r);
		i++;
	}
	l->sent = 0;
	return result;
}

int
pg_link_wait(struct pg_link *l, PGresult **results, size_t count, struct err *e)
{
	int result;

	for (size_t i = 0; i < count; i++)
		results[i] = NULL;
	l->failure = PG_NONE;
	if (l->connection == NULL)
		return fail(l, PG_LOST, ERR_STORAGE_UNAVAILABLE, "the database", "the connection was lost", e);
	if (l->lacks_memory) {
		disconnect(l);
		l->failure = PG_AGAIN;
		return err_fail_memory(e);
	}
	if (PQpipelineSync(l->connection) != 1)
		return lose(l, "the database", e);
	result = read_results(l, results, count, e);
	for (size_t i = 0; result < 0 && i < count; i++) {
		PQclear(results[i]);
		results[i] = NULL;
	}
	return result;
}

void
pg_link_be_patient(struct pg_link *l, enum pg_patience patience)
{
	static const uint64_t us[] = { [PG_HURRIED] = HURRY_US, [PG_USUAL] = WAIT_US, [PG_PATIENT] = PATIENT_US };

	l->patience_us = us[patience];
}

enum pg_failure
pg_link_failure(const struct pg_link *l)
{
	return l->failure;
}

bool
pg_link_stands(const struct pg_link *l)
{
	return l->connection != NULL && PQstatus(l->connection) == CONNECTION_OK;
}

bool
pg_link_is_away(const struct pg_link *l)
{
	return l->away;
}
