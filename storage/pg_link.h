/* SPDX-License-Identifier: MIT */
/*
 * A connection to PostgreSQL, or what speaks its protocol, for one thread. Statements are sent in a pipeline, and their
 * results are awaited together: a round trip costs as much for a hundred statements as for one. Everything has a
 * deadline. A connection that is lost is made anew by the next pg_link_connect, which is cheap while it stands.
 *
 * Sources: PostgreSQL 15, "libpq: Pipeline Mode" and "Asynchronous Command Processing"; appendix A, error codes.
 */
#pragma once

#include "base/err.h"
#include "storage/pg_params.h"

/* The second of a transaction's begin, by the database's clock: an expression. */
#define PG_NOW "CAST(floor(EXTRACT(EPOCH FROM now())) AS bigint)"

/* What a failure means for the transaction that it ended. */
enum pg_failure {
	PG_NONE,
	PG_FINAL, /* doing it again would fail again */
	PG_AGAIN, /* others were in its way, or the server was: the whole may succeed when it is done again */
	PG_LOST   /* the connection was lost, or may be: it is not known what became of a COMMIT that was sent */
};

/*
 * An expression of a new whole number (a text parameter) that fails, and with it the transaction, where `condition` is
 * not true. A statement that changed no row would not: its result comes too late, together with that of COMMIT.
 */
#define PG_GUARD(condition, number) \
	"CAST(CASE WHEN " condition " THEN " number " ELSE 'others have changed it' END AS bigint)"

struct pg_link;

/* Connects to nothing yet. `url` is kept. NULL: no memory. */
struct pg_link *pg_link_new(const char *url);
void pg_link_free(struct pg_link *l); /* NULL is fine */

/*
 * Connects, unless the connection stands. *fresh: it was made just now. After a failure, further calls fail at once for
 * a while: nobody waits for a server that is away more often than that. Errors: storage_unavailable.
 */
int pg_link_connect(struct pg_link *l, bool *fresh, struct err *e) MUST_CHECK;

/* Closes the connection. The next pg_link_connect may make a new one at once. */
void pg_link_hang_up(struct pg_link *l);

/* Closes a connection that led to the wrong server: as if it could not be reached. */
void pg_link_drop(struct pg_link *l);

/* Sends a statement, without waiting. `rows`: how many rows it must change; -1: any number. What fails is told by the
 * next pg_link_wait. */
void pg_link_send(struct pg_link *l, const char *sql, const struct pg_params *p, int rows);

/*
 * Waits for all statements that were sent. The results of the last `count` are given to the caller, who clears them by
 * PQclear; those before must succeed. -1 with `e`: one has failed, no result is given, and pg_link_failure says what
 * that means.
 */
int pg_link_wait(struct pg_link *l, PGresult **results, size_t count, struct err *e) MUST_CHECK;

/*
 * When pg_link_wait gives up from now on. Hurried, after 3 s: a silent server is as good as one that is away. As usual,
 * after 10 s. Patient, after an hour: for queries that read a whole store.
 */
enum pg_patience { PG_HURRIED, PG_USUAL, PG_PATIENT };
void pg_link_be_patient(struct pg_link *l, enum pg_patience patience);

/* Of the last pg_link_wait or pg_link_connect. */
enum pg_failure pg_link_failure(const struct pg_link *l);

/* Whether there is a connection, as far as is known. */
bool pg_link_stands(const struct pg_link *l);

/* Whether the server could not be reached at the last try. */
bool pg_link_is_away(const struct pg_link *l);
