/* SPDX-License-Identifier: MIT */
/*
 * The idempotency keys in SQLite: functions of struct backend_ops (storage/backend.h has their contracts).
 *
 * A new key's id is above all others, so the oldest keys have the lowest ids. The range of ids is an upper bound of how
 * many keys there are, known without counting millions of rows: an id inside it is missing only if an expired key was
 * used again.
 */
#pragma once

#include "storage/backend.h"

/* The range of ids in the open transaction. Zeroed: not known. */
struct sqlite_keys {
	bool known;
	int64_t first; /* no key has a lower id */
	int64_t end;   /* above the highest id; `first` if there are no keys */
};

int sqlite_find_key(struct backend *b, const struct layer_identity *layer, const char *key, int64_t since_s,
    struct used_key *out, bool *found, struct err *e) MUST_CHECK;
int sqlite_add_key(struct backend *b, const struct layer_identity *layer, const char *key, const struct used_key *used,
    int64_t now_s, struct err *e) MUST_CHECK;
int sqlite_purge_keys(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e) MUST_CHECK;
int sqlite_trim_keys(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e) MUST_CHECK;

/* The known range is no longer true: a transaction was rolled back, or keys were deleted. */
void sqlite_keys_forget_range(struct sqlite_keys *k);
