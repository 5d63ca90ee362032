/* SPDX-License-Identifier: MIT */
/*
 * The idempotency keys in PostgreSQL: functions of struct backend_ops (storage/backend.h has their contracts).
 *
 * How many there are is known without counting: each daemon's row has how many it has added, less those that it has
 * forgotten. That is an upper bound, because a key that replaces an expired one is counted twice.
 */
#pragma once

#include "storage/backend.h"
#include "storage/pg_held.h"

int pg_find_key(struct backend *b, const struct layer_identity *layer, const char *key, int64_t since_s,
    struct used_key *out, bool *found, struct err *e) MUST_CHECK;
int pg_add_key(struct backend *b, const struct layer_identity *layer, const char *key, const struct used_key *used,
    int64_t now_s, struct err *e) MUST_CHECK;
int pg_purge_keys(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e) MUST_CHECK;
int pg_trim_keys(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e) MUST_CHECK;

/*
 * Looks up a plan's keys from `first` to before `end`, which are of one model, by one query; and takes what it found.
 */
void pg_keys_ask(struct backend *b, const struct batch_plan *plan, size_t first, size_t end);
int pg_keys_take(struct backend *b, const PGresult *r, size_t first, size_t end, struct err *e) MUST_CHECK;

/* Sends the keys that were added. */
void pg_new_keys_send(struct backend *b);
void pg_new_keys_fini(struct pg_new_keys *keys);
