/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_keys.h"

#include <string.h>

#include "storage/sqlite_backend.h"

static int
key_from_row(sqlite3_stmt *row, struct used_key *out, struct err *e)
{
	const unsigned char *digest;

	if (statement_column_bytes(row, 0, DIGEST_BYTES, "a stored idempotency key is damaged", &digest, e) < 0)
		return -1;
	memcpy(out->digest, digest, DIGEST_BYTES);
	out->revision = (uint64_t)sqlite3_column_int64(row, 1);
	out->num_batches_tracked = (uint64_t)sqlite3_column_int64(row, 2);
	return 0;
}

int
sqlite_find_key(struct backend *b, const struct layer_identity *layer, const char *key, int64_t since_s,
    struct used_key *out, bool *found, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_FIND_KEY);
	int rc, result = 0;

	sqlite3_bind_int64(stmt, 1, layer->id);
	statement_bind_text(stmt, 2, key);
	sqlite3_bind_int64(stmt, 3, since_s);
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		result = key_from_row(stmt, out, e);
	return statement_end(stmt, rc, result, e);
}

static void
note_added(struct sqlite_keys *k, int64_t id)
{
	if (k->first == k->end)
		k->first = id;
	k->end = id + 1;
}

int
sqlite_add_key(struct backend *b, const struct layer_identity *layer, const char *key, const struct used_key *used,
    int64_t now_s, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_ADD_KEY);

	sqlite3_bind_int64(stmt, 1, layer->id);
	statement_bind_text(stmt, 2, key);
	sqlite3_bind_blob(stmt, 3, used->digest, DIGEST_BYTES, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)used->revision);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)used->num_batches_tracked);
	sqlite3_bind_int64(stmt, 6, now_s);
	if (statement_run(stmt, e) < 0)
		return -1;
	note_added(&sqlite_self(b)->keys, sqlite3_last_insert_rowid(sqlite_self(b)->db));
	return 0;
}

int
sqlite_purge_keys(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e)
{
	sqlite3_stmt *oldest = sqlite_statement(b, STATEMENT_OLDEST_KEY),
		     *purge = sqlite_statement(b, STATEMENT_PURGE_KEYS);
	int64_t oldest_s = since_s;

	*purged = 0;
	if (statement_int(oldest, &oldest_s, e) < 0)
		return -1;
	if (oldest_s >= since_s)
		return 0;
	sqlite3_bind_int64(purge, 1, since_s);
	sqlite3_bind_int64(purge, 2, (sqlite3_int64)limit);
	sqlite_keys_forget_range(&sqlite_self(b)->keys);
	if (statement_run(purge, e) < 0)
		return -1;
	*purged = (size_t)sqlite3_changes64(sqlite_self(b)->db);
	return 0;
}

void
sqlite_keys_forget_range(struct sqlite_keys *k)
{
	*k = (struct sqlite_keys){ 0 };
}

/* Makes the range known. */
static int
read_range(struct backend *b, struct sqlite_keys *k, struct err *e)
{
	sqlite3_stmt *stmt = sqlite_statement(b, STATEMENT_KEY_RANGE);
	int rc;

	if (k->known)
		return 0;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*k = (struct sqlite_keys){ true, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1) };
	if (statement_end(stmt, rc, 0, e) == 0)
		return 0;
	sqlite_keys_forget_range(k);
	return -1;
}

int
sqlite_trim_keys(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e)
{
	sqlite3_stmt *youngest = sqlite_statement(b, STATEMENT_YOUNGEST_KEY_BELOW);
	sqlite3_stmt *delete = sqlite_statement(b, STATEMENT_DELETE_KEYS_BELOW);
	struct sqlite_keys *k = &sqlite_self(b)->keys;
	uint64_t count, excess;

	*out = (struct trimmed_keys){ 0 };
	if (read_range(b, k, e) < 0)
		return -1;
	count = (uint64_t)(k->end - k->first);
	out->kept = count;
	if (count <= max)
		return 0;
	excess = count - max < limit ? count - max : limit;
	sqlite3_bind_int64(youngest, 1, k->first + (int64_t)excess);
	sqlite3_bind_int64(delete, 1, k->first + (int64_t)excess);
	if (statement_int(youngest, &out->youngest_s, e) < 0 || statement_run(delete, e) < 0)
		return -1;
	k->first += (int64_t)excess;
	out->forgotten = (size_t)excess;
	out->kept = count - excess;
	return 0;
}
