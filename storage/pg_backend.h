/* SPDX-License-Identifier: MIT */
/*
 * What the files of the PostgreSQL backend share. Its user is the store's thread alone.
 *
 * Within a transaction writes are only sent. They are awaited with the next read, or with COMMIT, so that a transaction
 * whose plan named all that it reads takes two round trips: locks and reads, then writes and COMMIT. A write that fails
 * thus fails a later read, or the commit.
 */
#pragma once

#include "storage/backend.h"
#include "storage/pg_held.h"
#include "storage/pg_link.h"

struct pg_backend {
	struct backend backend; /* first */
	const struct identity_common *identities;
	char *url;
	struct pg_link *link;

	/* The daemon's row in normd_daemon. */
	int64_t daemon, session, done;
	uint64_t keys; /* how many all daemons together have, as the last transaction began: an upper bound */

	/* The transaction. */
	bool open;   /* it has begun */
	bool failed; /* nothing of it can be committed */
	bool retry;  /* it may succeed when all of it is done again */
	bool leads;  /* no other daemon does chores meanwhile */
	bool asked_to_lead;
	int64_t keys_change; /* by how much the number of keys grows */
	struct pg_new_keys new_keys;
	struct pg_held held;
	struct arena scratch; /* what parameters are copied to */
};

static inline struct pg_backend *
pg_self(struct backend *b)
{
	return (struct pg_backend *)b;
}

static inline const struct pg_backend *
pg_const_self(const struct backend *b)
{
	return (const struct pg_backend *)b;
}

/* A number that nobody else has: from 1 to 2^63 - 1. */
int64_t pg_random_id(void);

/* Sends a statement of the open transaction, which gives no rows. */
void pg_send(struct backend *b, const char *sql, const struct pg_params *p);

/*
 * Runs a query, in the transaction if one is open, and otherwise by itself. *out: to be cleared by PQclear. A query
 * that is not in a transaction is asked once more if the connection was lost.
 */
int pg_ask(struct backend *b, const char *sql, const struct pg_params *p, PGresult **out, struct err *e) MUST_CHECK;

/* Runs a query of one row at most. *value: the whole number in its first column; without a row it stays as it is. */
int pg_ask_int(struct backend *b, const char *sql, const struct pg_params *p, int64_t *value, struct err *e) MUST_CHECK;

/* Runs a statement of the open transaction; *rows: how many rows it has changed. */
int pg_change(struct backend *b, const char *sql, const struct pg_params *p, size_t *rows, struct err *e) MUST_CHECK;

/* The same for several queries in one round trip, which were sent by pg_link_send: the last `count`. */
int pg_wait(struct backend *b, PGresult **results, size_t count, struct err *e) MUST_CHECK;

/* Reads a row into an entry, which is zeroed. -1 with `e`. */
typedef int pg_read(const PGresult *r, int row, void *entry, struct err *e);

/* Rows as a list: up to `limit` entries of `entry_bytes` each. */
struct pg_list {
	size_t limit, entry_bytes;

	void *entries; /* malloc'ed; also after a failure: free them */
	size_t count;  /* the entries that are read, or begun */
	bool more;     /* there are rows after the last entry */
};

/* Runs a query that may give one row more than there is room, to know whether there are more. */
int pg_ask_list(struct backend *b, const char *sql, const struct pg_params *p, pg_read *read, struct pg_list *list,
    struct err *e) MUST_CHECK;

/* Whether this daemon is the one that does the chores now, for the rest of the transaction. */
int pg_lead(struct backend *b, bool *leads, struct err *e) MUST_CHECK;
