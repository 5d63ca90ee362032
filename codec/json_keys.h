/* SPDX-License-Identifier: MIT */
/* The keys of the objects that are open, to find one that stands twice. Private to codec/. */
#ifndef CODEC_JSON_KEYS_H
#define CODEC_JSON_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

/* A key: the hash of its decoded bytes, and where its text stands in the envelope's text. */
struct json_key {
	uint64_t hash;
	uint32_t at, len; /* an envelope is far smaller (JSON_ENVELOPE_MAX) */
	uint32_t
	    below; /* the module's own: one more than the index of the key before it in its chain; 0: there is none */
};

/* A stack: the innermost open object's keys are on top. Zeroed, it is empty. */
struct json_keys {
	struct json_key *keys;
	uint32_t *chains; /* twice `size`: one more than the index of the topmost key of each hash's chain, or 0 */
	size_t count;
	size_t size;                 /* 0, or a power of two */
	size_t total;                /* of the whole document so far, those of closed objects too */
	struct budget_share *memory; /* where `size` of them are counted */
};

/*
 * Adds a key of the innermost object, whose keys start at index `from`. `text` is the envelope's text; `at`, the key's
 * offset in the document, is for the error: bad_json (it stands there already, or there are too many), overloaded.
 */
int json_keys_add(struct json_keys *k, size_t from, const struct json_key *key, const char *text, uint64_t at,
    struct err *e) MUST_CHECK;

/* The innermost object, whose keys start at index `from`, is closed: they are forgotten. */
void json_keys_close(struct json_keys *k, size_t from);

void json_keys_fini(struct json_keys *k);

#endif
