/* SPDX-License-Identifier: MIT */
#include "storage/pg_keys.h"

#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/snapshot.h"

/* Keys of one transaction that can be told apart by their turn. */
#define TURN_BITS 20

static const char damage[] = "a stored idempotency key is damaged";

/* Columns: digest, revision, batches; from `column` on. */
static int
take_used(const PGresult *r, int row, int column, struct used_key *out, struct err *e)
{
	const unsigned char *digest;

	if (pg_get_bytes(r, row, column, DIGEST_BYTES, damage, &digest, e) < 0)
		return -1;
	memcpy(out->digest, digest, DIGEST_BYTES);
	out->revision = (uint64_t)pg_get_int(r, row, column + 1);
	out->num_batches_tracked = (uint64_t)pg_get_int(r, row, column + 2);
	return 0;
}

/* Each pair of a layer's name and a key, with its place among those of the query. */
void
pg_keys_ask(struct backend *b, const struct batch_plan *plan, size_t first, size_t end)
{
	static const char sql[] =
	    "SELECT q.place, k.digest, k.revision, k.num_batches_tracked"
	    " FROM unnest($2, $3, $4) AS q(place, name, key)"
	    " JOIN normd_layer l ON l.model = $1 AND l.name = q.name"
	    " JOIN normd_key k ON k.model = $1 AND k.layer_id = l.id AND k.key = q.key AND k.created_s >= $5";
	struct pg_array places, names, keys;
	struct pg_params p = { 0 };

	pg_array_init(&places, PG_INTS);
	pg_array_init(&names, PG_TEXTS);
	pg_array_init(&keys, PG_TEXTS);
	for (size_t i = first; i < end; i++) {
		pg_array_int(&places, (int64_t)i);
		pg_array_text(&names, plan->layers[plan->keys[i].layer].name);
		pg_array_text(&keys, plan->keys[i].key);
	}
	pg_text(&p, plan->layers[plan->keys[first].layer].model);
	pg_array(&p, &places);
	pg_array(&p, &names);
	pg_array(&p, &keys);
	pg_int(&p, plan->keys_since_s);
	pg_send(b, sql, &p);
	pg_array_fini(&places);
	pg_array_fini(&names);
	pg_array_fini(&keys);
}

int
pg_keys_take(struct backend *b, const PGresult *r, size_t first, size_t end, struct err *e)
{
	struct pg_held *h = &pg_self(b)->held;

	for (int row = 0; row < PQntuples(r); row++) {
		const size_t i = (size_t)pg_get_int(r, row, 0);

		if (i < first || i >= end)
			return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s", damage);
		h->keys[i].found = true;
		if (take_used(r, row, 1, &h->keys[i].used, e) < 0)
			return -1;
	}
	return 0;
}

/* The held answer for a key; NULL: the plan does not name it. */
static struct pg_held_key *
held_key(struct pg_held *h, const struct layer_identity *layer, const char *key)
{
	size_t i, k;

	if (h->plan == NULL || (i = plan_find_layer(h->plan, layer->model, layer->name)) == h->plan->layer_count ||
	    h->layers[i].id != layer->id)
		return NULL;
	k = plan_find_key(h->plan, i, key);
	return k < h->plan->key_count ? &h->keys[k] : NULL;
}

int
pg_find_key(struct backend *b, const struct layer_identity *layer, const char *key, int64_t since_s,
    struct used_key *out, bool *found, struct err *e)
{
	static const char sql[] = "SELECT digest, revision, num_batches_tracked FROM normd_key"
				  " WHERE model = $1 AND layer_id = $2 AND key = $3 AND created_s >= $4";
	const struct pg_held_key *held = held_key(&pg_self(b)->held, layer, key);
	struct pg_params p = { 0 };
	PGresult *r;
	int result;

	if (held != NULL) {
		*found = held->found;
		*out = held->used;
		return 0;
	}
	pg_text(&p, layer->model);
	pg_int(&p, layer->id);
	pg_text(&p, key);
	pg_int(&p, since_s);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	result = *found ? take_used(r, 0, 0, out, e) : 0;
	PQclear(r);
	return result;
}

static int
make_room(struct pg_new_keys *keys, struct err *e)
{
	const size_t room = keys->room == 0 ? 64 : 2 * keys->room;
	struct pg_new_key *more;

	if (keys->count < keys->room)
		return 0;
	more = realloc(keys->list, room * sizeof(*more));
	if (more == NULL)
		return err_fail_memory(e);
	keys->list = more;
	keys->room = room;
	return 0;
}

int
pg_add_key(struct backend *b, const struct layer_identity *layer, const char *key, const struct used_key *used,
    int64_t now_s, struct err *e)
{
	struct pg_backend *self = pg_self(b);
	struct pg_held_key *held = held_key(&self->held, layer, key);
	char *copy = arena_text(&self->scratch, key, strlen(key));

	if (copy == NULL)
		return err_fail_memory(e);
	if (make_room(&self->new_keys, e) < 0)
		return -1;
	self->new_keys.list[self->new_keys.count] = (struct pg_new_key){ layer_identity_ref(layer), copy, *used, now_s,
		(self->done << TURN_BITS) + self->keys_change };
	self->new_keys.count++;
	self->keys_change++;
	if (held != NULL)
		*held = (struct pg_held_key){ true, *used };
	return 0;
}

enum { LAYERS, KEYS, DIGESTS, REVISIONS, BATCHES, TIMES, TURNS, ARRAYS };

/* The keys of one model, from `first` on, by one statement. */
static void
send_keys(struct backend *b, const struct pg_new_key *list, size_t count)
{
	static const char sql[] =
	    "INSERT INTO normd_key(model, layer_id, key, digest, revision, num_batches_tracked, created_s, turn)"
	    " SELECT $1, q.* FROM unnest($2, $3, $4, $5, $6, $7, $8) AS q(l, k, d, r, b, c, t)"
	    " ON CONFLICT (model, layer_id, key) DO UPDATE SET digest = excluded.digest, revision = excluded.revision,"
	    " num_batches_tracked = excluded.num_batches_tracked, created_s = excluded.created_s,"
	    " turn = excluded.turn";
	static const enum pg_element types[ARRAYS] = { PG_INTS, PG_TEXTS, PG_BYTES, PG_INTS, PG_INTS, PG_INTS,
		PG_INTS };
	struct pg_array a[ARRAYS];
	struct pg_params p = { 0 };

	for (size_t i = 0; i < ARRAYS; i++)
		pg_array_init(&a[i], types[i]);
	for (size_t i = 0; i < count; i++) {
		pg_array_int(&a[LAYERS], list[i].layer->id);
		pg_array_text(&a[KEYS], list[i].key);
		pg_array_bytes(&a[DIGESTS], list[i].used.digest, DIGEST_BYTES);
		pg_array_int(&a[REVISIONS], (int64_t)list[i].used.revision);
		pg_array_int(&a[BATCHES], (int64_t)list[i].used.num_batches_tracked);
		pg_array_int(&a[TIMES], list[i].created_s);
		pg_array_int(&a[TURNS], list[i].turn);
	}
	pg_text(&p, list->layer->model);
	for (size_t i = 0; i < ARRAYS; i++)
		pg_array(&p, &a[i]);
	pg_send(b, sql, &p);
	for (size_t i = 0; i < ARRAYS; i++)
		pg_array_fini(&a[i]);
}

static int
compare_models(const void *a, const void *b)
{
	const struct pg_new_key *x = a, *y = b;

	return strcmp(x->layer->model, y->layer->model);
}

void
pg_new_keys_send(struct backend *b)
{
	struct pg_new_keys *keys = &pg_self(b)->new_keys;
	size_t end;

	if (keys->count > 1)
		qsort(keys->list, keys->count, sizeof(*keys->list), compare_models);
	for (size_t first = 0; first < keys->count; first = end) {
		for (end = first + 1; end < keys->count && compare_models(&keys->list[first], &keys->list[end]) == 0;
		     end++)
			;
		send_keys(b, &keys->list[first], end - first);
	}
	pg_new_keys_fini(keys);
}

void
pg_new_keys_fini(struct pg_new_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		layer_identity_unref(keys->list[i].layer);
	free(keys->list);
	memset(keys, 0, sizeof(*keys));
}

int
pg_purge_keys(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e)
{
	static const char sql[] =
	    "DELETE FROM normd_key WHERE (model, layer_id, key) IN (SELECT model, layer_id, key FROM normd_key"
	    " WHERE created_s < $1 ORDER BY created_s, turn LIMIT $2 FOR UPDATE SKIP LOCKED)";
	struct pg_params p = { 0 };
	bool leads;

	*purged = 0;
	if (pg_lead(b, &leads, e) < 0)
		return -1;
	if (!leads)
		return 0;
	pg_int(&p, since_s);
	pg_int(&p, (int64_t)limit);
	if (pg_change(b, sql, &p, purged, e) < 0)
		return -1;
	pg_self(b)->keys_change -= (int64_t)*purged;
	return 0;
}

/* Deletes the oldest keys; tells how many, and when the youngest of them was used. */
static int
delete_oldest(struct backend *b, uint64_t excess, struct trimmed_keys *out, struct err *e)
{
	static const char sql[] =
	    "DELETE FROM normd_key WHERE (model, layer_id, key) IN (SELECT model, layer_id, key FROM normd_key"
	    " ORDER BY created_s, turn LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING created_s";
	struct pg_params p = { 0 };
	PGresult *r;

	pg_int(&p, (int64_t)excess);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	out->forgotten = (size_t)PQntuples(r);
	for (int i = 0; i < PQntuples(r); i++)
		if (pg_get_int(r, i, 0) > out->youngest_s)
			out->youngest_s = pg_get_int(r, i, 0);
	PQclear(r);
	return 0;
}

int
pg_trim_keys(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e)
{
	struct pg_backend *self = pg_self(b);
	const uint64_t count = self->keys + (uint64_t)self->keys_change;
	const uint64_t excess = count <= max ? 0 : count - max < limit ? count - max : limit;
	bool leads;

	*out = (struct trimmed_keys){ .kept = count };
	if (excess == 0)
		return 0;
	if (pg_lead(b, &leads, e) < 0)
		return -1;
	if (!leads)
		return 0;
	pg_new_keys_send(b); /* first: they may be among the oldest */
	if (delete_oldest(b, excess, out, e) < 0)
		return -1;
	self->keys_change -= (int64_t)excess; /* also if there were not so many: the bound was too high */
	out->kept = count - excess;
	return 0;
}
