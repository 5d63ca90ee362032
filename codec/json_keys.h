/* SPDX-License-Identifier: MIT */
/* The keys of the open objects, to find duplicates. Private to codec/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

/* A key: the hash of its decoded bytes, and its place in the envelope's text. */
struct json_key {
	uint64_t hash;
	uint32_t at, len; /* an envelope is far smaller (JSON_ENVELOPE_MAX) */
	uint32_t below;   /* json_keys.c's: the index of the key before it in its chain, plus 1; or 0 */
};

/* A stack, with the innermost object's keys on top. Zeroed but for its limits, it is empty. */
struct json_keys {
	struct json_key *keys;
	uint32_t *chains; /* twice `size`: the index of the top key of each hash's chain, plus 1; or 0 */
	size_t count;
	size_t size;                  /* 0, or a power of two */
	size_t total;                 /* of the whole document so far, with those of closed objects */
	size_t total_max, object_max; /* at most so many in all, and in one object */
	struct budget_share *memory;  /* where `size` of them are counted */
};

/*
 * Adds a key of the innermost object, whose keys start at index `from`. `text` is the envelope's text. Errors: bad_json
 * at `at`, the key's offset, if the object has the key already or there are too many; overloaded.
 */
int json_keys_add(struct json_keys *k, size_t from, const struct json_key *key, const char *text, uint64_t at,
    struct err *e) MUST_CHECK;

/* Closes the innermost object: removes its keys, which start at index `from`. */
void json_keys_close(struct json_keys *k, size_t from);

void json_keys_fini(struct json_keys *k);
