/* SPDX-License-Identifier: MIT */
/*
 * Each transaction counts itself in the daemon's row, so that after a lost connection the row tells what a COMMIT came
 * to that was not answered. The row also names the connection: once a later one has put itself there, a transaction of
 * an earlier one, which may still be on its way to the server, cannot be committed any more.
 */
#include "storage/pg_transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "storage/pg_backend.h"
#include "storage/pg_keys.h"
#include "storage/pg_schema.h"

/* How long it is tried to find out what a COMMIT came to. */
#define SETTLE_US ((uint64_t)10000000)
#define SETTLE_PAUSE_US ((uint64_t)100000)

/* By the database's clock there is one time for all daemons. A second is what two readings differ by anyway. */
static void
set_clock(struct pg_backend *self, int64_t now_s)
{
	const int64_t offset_s = now_s - clock_realtime_ms() / 1000;

	self->backend.clock_offset_s = offset_s >= -1 && offset_s <= 1 ? 0 : offset_s;
}

/* Puts this connection into the daemon's row. */
static int
enroll(struct pg_backend *self, struct err *e)
{
	static const char sql[] =
	    "INSERT INTO normd_daemon AS d (id, session, done, keys, seen_s) VALUES($1, $2, 0, 0, " PG_NOW
	    ") ON CONFLICT (id) DO UPDATE SET session = $2, seen_s = " PG_NOW " RETURNING done, " PG_NOW;
	struct pg_params p = { 0 };
	PGresult *r;

	self->session = pg_random_id();
	pg_int(&p, self->daemon);
	pg_int(&p, self->session);
	pg_link_send(self->link, sql, &p, -1);
	if (pg_link_wait(self->link, &r, 1, e) < 0)
		return -1;
	self->done = pg_get_int(r, 0, 0);
	set_clock(self, pg_get_int(r, 0, 1));
	PQclear(r);
	return 0;
}

int
pg_ready(struct pg_backend *self, struct err *e)
{
	bool fresh;

	if (pg_link_connect(self->link, &fresh, e) < 0)
		return -1;
	if (!fresh)
		return 0;
	if ((self->session == 0 ? pg_schema_make(self->link, e) : pg_schema_check(self->link, e)) == 0 &&
	    enroll(self, e) == 0)
		return 0;
	/* One that was lost again may have been to the right server, which can be reached. */
	self->retry = pg_link_failure(self->link) == PG_LOST || pg_link_failure(self->link) == PG_AGAIN;
	if (self->retry)
		pg_link_hang_up(self->link);
	else
		pg_link_drop(self->link);
	return -1;
}

static int
take_begin(struct backend *b, PGresult *const *results, struct err *e)
{
	struct pg_backend *self = pg_self(b);

	set_clock(self, pg_get_int(results[0], 0, 0));
	self->keys = (uint64_t)pg_get_int(results[0], 0, 1);
	return pg_held_take(b, results + 1, e);
}

/* Awaits the statement that tells the time, and those of the plan behind it. */
static int
wait_for_plan(
    struct backend *b, size_t count, int (*take)(struct backend *, PGresult *const *, struct err *), struct err *e)
{
	PGresult **results = arena_array(&pg_self(b)->scratch, count, sizeof(PGresult *));
	int result;

	if (results == NULL)
		return err_fail_memory(e);
	result = pg_wait(b, results, count, e);
	if (result == 0)
		result = take(b, results, e);
	for (size_t i = 0; i < count; i++)
		PQclear(results[i]);
	return result;
}

/* Forgets what belongs to a transaction. */
static void
end(struct pg_backend *self)
{
	self->open = self->failed = self->leads = self->asked_to_lead = false;
	self->keys_change = 0;
	pg_new_keys_fini(&self->new_keys);
	pg_held_fini(&self->held);
	arena_fini(&self->scratch);
	arena_init(&self->scratch, SIZE_MAX);
}

int
pg_begin(struct backend *b, const struct batch_plan *plan, struct err *e)
{
	static const char tell[] = "SELECT " PG_NOW ", CAST(coalesce(sum(keys), 0) AS bigint) FROM normd_daemon";
	struct pg_backend *self = pg_self(b);
	size_t count;

	self->retry = false;
	if (pg_ready(self, e) < 0 || pg_held_init(&self->held, plan, e) < 0)
		return -1;
	self->open = true;
	pg_send(b, "BEGIN", NULL);
	pg_send(b, tell, NULL);
	pg_held_ask(b, true, &count);
	if (wait_for_plan(b, count + 1, take_begin, e) == 0)
		return 0;
	self->failed = true;
	pg_rollback(b);
	return -1;
}

/* After a COMMIT whose result was lost: 0 if it stands. */
static int
settle(struct pg_backend *self, int64_t number, struct err *e)
{
	const uint64_t until_us = clock_monotonic_us() + SETTLE_US;
	size_t n;

	pg_link_hang_up(self->link); /* the row is read by a new one, which waits for what this one has begun */
	while (pg_ready(self, e) < 0) {
		if (clock_monotonic_us() > until_us) {
			n = strlen(e->detail);
			snprintf(e->detail + n, sizeof(e->detail) - n, "; whether it was stored is not known");
			self->retry = false; /* it might be stored twice */
			return -1;
		}
		clock_sleep_us(SETTLE_PAUSE_US);
	}
	if (self->done == number)
		return 0;
	self->retry = true;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the connection to the database was lost before the commit");
}

static void
send_count(struct backend *b)
{
	static const char sql[] =
	    "UPDATE normd_daemon SET done = " PG_GUARD("session = $2", "$3") ", keys = keys + $4"
									     ", seen_s = " PG_NOW " WHERE id = $1";
	struct pg_backend *self = pg_self(b);
	struct pg_params p = { 0 };
	char number[24];

	snprintf(number, sizeof(number), "%" PRId64, self->done + 1);
	pg_int(&p, self->daemon);
	pg_int(&p, self->session);
	pg_text(&p, number);
	pg_int(&p, self->keys_change);
	pg_send(b, sql, &p);
}

int
pg_commit(struct backend *b, struct err *e)
{
	struct pg_backend *self = pg_self(b);
	const int64_t number = self->done + 1;
	int result;

	pg_new_keys_send(b);
	send_count(b);
	pg_send(b, "COMMIT", NULL);
	result = pg_wait(b, NULL, 0, e);
	if (result < 0 && pg_link_failure(self->link) == PG_LOST) {
		self->retry = false;
		result = settle(self, number, e);
	}
	self->failed = result < 0;
	if (result < 0)
		return -1;
	self->done = number;
	end(self);
	return 0;
}

void
pg_rollback(struct backend *b)
{
	struct pg_backend *self = pg_self(b);
	struct err ignored;

	if (self->open && pg_link_stands(self->link)) {
		pg_link_send(self->link, "ROLLBACK", NULL, -1);
		if (pg_link_wait(self->link, NULL, 0, &ignored) < 0)
			pg_link_hang_up(self->link);
	}
	end(self);
}

int
pg_mark(struct backend *b, struct err *e)
{
	(void)e;
	pg_send(b, "SAVEPOINT mark", NULL);
	return 0;
}

int
pg_unmark(struct backend *b, bool back, struct err *e)
{
	(void)e;
	if (back)
		pg_send(b, "ROLLBACK TO SAVEPOINT mark", NULL);
	pg_send(b, "RELEASE SAVEPOINT mark", NULL);
	return 0;
}

bool
pg_in_transaction(struct backend *b)
{
	return pg_self(b)->open && !pg_self(b)->failed;
}

bool
pg_may_retry(struct backend *b)
{
	return pg_self(b)->retry;
}

/* The commit writes the daemon's row in any case. */
int
pg_try_write(struct backend *b, struct err *e)
{
	(void)b, (void)e;
	return 0;
}

/* All of it in one state: of one snapshot of the database. The cache may have what a silent server does not tell. */
int
pg_look(struct backend *b, const struct batch_plan *plan, struct err *e)
{
	struct pg_backend *self = pg_self(b);
	size_t count;
	int result;

	if (pg_ready(self, e) < 0 || pg_held_init(&self->held, plan, e) < 0)
		return -1;
	self->open = true;
	pg_send(b, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL);
	pg_held_ask(b, false, &count);
	pg_send(b, "COMMIT", NULL);
	pg_link_be_patient(self->link, PG_HURRIED);
	result = wait_for_plan(b, count + 1, pg_held_take, e);
	pg_link_be_patient(self->link, PG_USUAL);
	if (result < 0)
		pg_rollback(b);
	self->open = false;
	return result;
}

void
pg_forget(struct backend *b)
{
	end(pg_self(b));
}

bool
pg_is_away(const struct backend *b)
{
	return pg_link_is_away(pg_const_self(b)->link);
}
