/* SPDX-License-Identifier: MIT */
#include "storage/pg_versions.h"

#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/pg_states.h"

#define VERSION_COLUMNS "v.number, v.created_s, v.digest, v.note"
#define VERSIONS_OF_MODEL \
	" FROM normd_model m JOIN normd_version v ON v.model = m.name AND v.model_id = m.id" \
	" WHERE m.name = $1 AND m.id <> 0"

/* The plan has locked the model's row, or this does: nobody else has the mark. */
int
pg_take_pin(struct backend *b, const char *model, int64_t now_s, int64_t *id, bool *layers, struct err *e)
{
	static const char some[] = "SELECT since FROM normd_layer WHERE model = $1 LIMIT 1",
			  raise[] = "UPDATE normd_model SET mark = mark + 1 WHERE name = $1",
			  take[] =
			      "INSERT INTO normd_version(model, id, model_id, mark, created_s, daemon, gone, gone_s)"
			      " SELECT m.name, $2, m.id, m.mark, $3, $4, 0, 0 FROM normd_model m WHERE m.name = $1";
	struct pg_params of_model = { 0 }, p = { 0 };
	int64_t since = 0;

	pg_text(&of_model, model);
	if (pg_ask_int(b, some, &of_model, &since, e) < 0)
		return -1;
	*layers = since != 0;
	if (!*layers)
		return 0;
	*id = pg_random_id();
	pg_text(&p, model);
	pg_int(&p, *id);
	pg_int(&p, now_s);
	pg_int(&p, pg_self(b)->daemon);
	pg_send(b, raise, &of_model);
	pg_send(b, take, &p);
	pg_held_forget_model(&pg_self(b)->held, model);
	return 0;
}

/* Pins are a daemon's own: those of one that was killed go when it has not been seen for long (pg_kept.c). */
int
pg_last_pin(struct backend *b, int64_t *id, struct err *e)
{
	(void)b, (void)e;
	*id = 0;
	return 0;
}

int
pg_drop_pins(struct backend *b, int64_t first, int64_t last, struct err *e)
{
	static const char sql[] = "UPDATE normd_version SET gone = 1, gone_s = " PG_NOW
				  " WHERE number IS NULL AND gone = 0 AND id BETWEEN $1 AND $2";
	struct pg_params p = { 0 };

	(void)e;
	pg_int(&p, first);
	pg_int(&p, last);
	pg_send(b, sql, &p);
	return 0;
}

void
pg_versions_leave(struct backend *b)
{
	static const char sql[] =
	    "UPDATE normd_version SET gone = 1, gone_s = " PG_NOW " WHERE number IS NULL AND gone = 0 AND daemon = $1";
	struct pg_backend *self = pg_self(b);
	struct pg_params p = { 0 };
	struct err ignored;

	if (self->link == NULL || !pg_link_stands(self->link))
		return;
	pg_int(&p, self->daemon);
	pg_link_send(self->link, sql, &p, -1);
	pg_link_send(self->link, "UPDATE normd_daemon SET seen_s = 0 WHERE id = $1", &p, -1);
	if (pg_link_wait(self->link, NULL, 0, &ignored) < 0)
		pg_link_hang_up(self->link);
}

static int
read_version(const PGresult *r, int row, void *entry, struct err *e)
{
	struct store_version *out = entry;
	const unsigned char *digest;

	if (pg_get_bytes(r, row, 2, SHA256_BYTES, "the stored digest of a version is damaged", &digest, e) < 0)
		return -1;
	out->number = (uint64_t)pg_get_int(r, row, 0);
	out->created_s = pg_get_int(r, row, 1);
	memcpy(out->digest, digest, SHA256_BYTES);
	pg_get_text(r, row, 3, out->note, sizeof(out->note));
	return 0;
}

/* The pin becomes a version, if it is neither dropped nor one already. */
int
pg_make_version(
    struct backend *b, const struct new_version *make, struct store_version *made, bool *found, struct err *e)
{
	static const char raise[] = "UPDATE normd_model SET number = number + 1 WHERE name = $1",
			  number[] =
			      "UPDATE normd_version AS v SET number = m.number, note = $3, digest = $4, key = $5,"
			      " key_digest = $6 FROM normd_model m WHERE m.name = $1 AND v.model = $1 AND v.id = $2"
			      " AND v.model_id = m.id AND v.number IS NULL AND v.gone = 0 RETURNING " VERSION_COLUMNS;
	struct pg_params of_model = { 0 }, p = { 0 };
	PGresult *r;
	int result;

	pg_text(&of_model, make->model);
	pg_text(&p, make->model);
	pg_int(&p, make->pin);
	pg_text(&p, make->note);
	pg_bytes(&p, make->digest, SHA256_BYTES);
	pg_text(&p, make->key);
	pg_bytes(&p, make->key != NULL ? make->key_digest : NULL, DIGEST_BYTES);
	pg_send(b, raise, &of_model);
	pg_held_forget_model(&pg_self(b)->held, make->model);
	if (pg_ask(b, number, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	result = *found ? read_version(r, 0, made, e) : 0;
	PQclear(r);
	return result;
}

static int
take_used(const PGresult *r, struct used_version *out, struct err *e)
{
	const unsigned char *key_digest;

	if (pg_get_bytes(r, 0, 4, DIGEST_BYTES, "the stored idempotency key of a version is damaged", &key_digest, e) <
	    0)
		return -1;
	memcpy(out->key_digest, key_digest, DIGEST_BYTES);
	return read_version(r, 0, &out->version, e);
}

int
pg_find_version_key(struct backend *b, const struct new_version *asked, int64_t since_s, struct used_version *out,
    bool *found, struct err *e)
{
	static const char sql[] = "SELECT " VERSION_COLUMNS ", v.key_digest" VERSIONS_OF_MODEL
				  " AND v.key = $2 AND v.created_s >= $3 ORDER BY v.mark DESC LIMIT 1";
	struct pg_params p = { 0 };
	PGresult *r;
	int result;

	pg_text(&p, asked->model);
	pg_text(&p, asked->key);
	pg_int(&p, since_s);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	result = *found ? take_used(r, out, e) : 0;
	PQclear(r);
	return result;
}

/* Nobody keeps a state for it meanwhile: the model is locked. */
int
pg_delete_version(struct backend *b, const char *model, uint64_t number, struct err *e)
{
	static const char sql[] =
	    "UPDATE normd_version SET gone = 1, gone_s = 0 WHERE model = $1 AND number = $2 AND gone = 0"
	    " AND model_id = (SELECT id FROM normd_model WHERE name = $1)";
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, model);
	pg_int(&p, (int64_t)number);
	pg_send(b, sql, &p);
	return 0;
}

int
pg_list_versions(struct backend *b, uint64_t number, struct store_versions *list, struct err *e)
{
#define LIST "SELECT " VERSION_COLUMNS VERSIONS_OF_MODEL " AND v.gone = 0 AND v.number "
	static const char one[] = LIST "= $2", page[] = LIST "> $2 ORDER BY v.number LIMIT $3";
	struct pg_list rows = { .limit = number != 0 ? 1 : list->limit, .entry_bytes = sizeof(*list->entries) };
	struct pg_params p = { 0 };
	int result;

	pg_text(&p, list->model);
	pg_int(&p, (int64_t)(number != 0 ? number : list->after));
	if (number == 0)
		pg_int(&p, (int64_t)list->limit + 1);
	result = pg_ask_list(b, number != 0 ? one : page, &p, read_version, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
pg_version_exists(struct backend *b, const char *model, uint64_t number, bool *exists, struct err *e)
{
	static const char sql[] = "SELECT v.number" VERSIONS_OF_MODEL " AND v.number = $2 AND v.gone = 0";
	struct pg_params p = { 0 };
	int64_t found = 0;

	pg_text(&p, model);
	pg_int(&p, (int64_t)number);
	if (pg_ask_int(b, sql, &p, &found, e) < 0)
		return -1;
	*exists = found != 0;
	return 0;
}
