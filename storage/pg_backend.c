/* SPDX-License-Identifier: MIT */
#include "storage/pg_backend.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "storage/pg_transaction.h"

int64_t
pg_random_id(void)
{
	uint64_t id = 0;

	while (id == 0) {
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
			id = 0;
		id &= INT64_MAX;
	}
	return (int64_t)id;
}

void
pg_send(struct backend *b, const char *sql, const struct pg_params *p)
{
	struct pg_backend *self = pg_self(b);

	if (self->open && !self->failed)
		pg_link_send(self->link, sql, p, -1);
}

int
pg_wait(struct backend *b, PGresult **results, size_t count, struct err *e)
{
	struct pg_backend *self = pg_self(b);
	int result;

	if (self->failed)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the transaction has failed");
	result = pg_link_wait(self->link, results, count, e);
	if (result < 0) {
		self->failed = true;
		self->retry = pg_link_failure(self->link) != PG_FINAL;
	}
	return result;
}

/* Outside of a transaction. */
static int
ask_alone(struct backend *b, const char *sql, const struct pg_params *p, PGresult **out, struct err *e)
{
	struct pg_backend *self = pg_self(b);

	for (unsigned tries = 0; tries < 2; tries++) {
		self->retry = false;
		if (pg_ready(self, e) < 0) {
			if (self->retry)
				continue;
			return -1;
		}
		pg_link_send(self->link, sql, p, -1);
		if (pg_link_wait(self->link, out, 1, e) == 0)
			return 0;
		if (pg_link_failure(self->link) == PG_FINAL)
			return -1;
	}
	return -1;
}

int
pg_ask(struct backend *b, const char *sql, const struct pg_params *p, PGresult **out, struct err *e)
{
	if (!pg_self(b)->open)
		return ask_alone(b, sql, p, out, e);
	pg_send(b, sql, p);
	return pg_wait(b, out, 1, e);
}

int
pg_ask_int(struct backend *b, const char *sql, const struct pg_params *p, int64_t *value, struct err *e)
{
	PGresult *r;

	if (pg_ask(b, sql, p, &r, e) < 0)
		return -1;
	if (PQntuples(r) > 0)
		*value = pg_get_int(r, 0, 0);
	PQclear(r);
	return 0;
}

int
pg_change(struct backend *b, const char *sql, const struct pg_params *p, size_t *rows, struct err *e)
{
	PGresult *r;

	if (pg_ask(b, sql, p, &r, e) < 0)
		return -1;
	*rows = strtoul(PQcmdTuples(r), NULL, 10);
	PQclear(r);
	return 0;
}

int
pg_ask_list(
    struct backend *b, const char *sql, const struct pg_params *p, pg_read *read, struct pg_list *list, struct err *e)
{
	PGresult *r;
	int result = 0, rows;

	if (list->entries == NULL)
		list->entries = calloc(list->limit, list->entry_bytes);
	if (list->entries == NULL)
		return err_fail_memory(e);
	if (pg_ask(b, sql, p, &r, e) < 0)
		return -1;
	rows = PQntuples(r);
	for (int i = 0; i < rows && list->count < list->limit && result == 0; i++)
		result = read(r, i, (char *)list->entries + list->entry_bytes * list->count++, e);
	list->more = rows > 0 && list->count == list->limit && (size_t)rows > list->limit;
	PQclear(r);
	return result;
}

int
pg_lead(struct backend *b, bool *leads, struct err *e)
{
	static const char sql[] = "SELECT one FROM normd_schema WHERE one = 1 FOR UPDATE SKIP LOCKED";
	struct pg_backend *self = pg_self(b);
	int64_t one = 0;

	if (!self->asked_to_lead && pg_ask_int(b, sql, NULL, &one, e) < 0)
		return -1;
	self->leads = self->leads || one != 0;
	self->asked_to_lead = true;
	*leads = self->leads;
	return 0;
}
