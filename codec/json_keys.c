/* SPDX-License-Identifier: MIT */
/*
 * The keys of all open objects are one stack. Each hash has a chain through it from the top: the keys of the innermost
 * object come first, so that a search ends at the first key of an outer object, and closing an object takes its keys
 * off the beginnings of the chains.
 */
#include "codec/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/excerpt.h"
#include "codec/json_input.h"

#define FIRST_KEYS ((size_t)32)
#define CHAINS_PER_KEY ((size_t)2)

/* The beginning of a hash's chain. */
static uint32_t *
chain_of(const struct json_keys *k, uint64_t hash)
{
	return &k->chains[hash_fold(hash) & (CHAINS_PER_KEY * k->size - 1)];
}

static void
chain_push(struct json_keys *k, size_t index)
{
	uint32_t *top = chain_of(k, k->keys[index].hash);

	k->keys[index].below = *top;
	*top = (uint32_t)index + 1;
}

/* Makes room for twice as many. On failure nothing has changed. */
static int
keys_grow(struct json_keys *k, struct err *e)
{
	const size_t size = k->size == 0 ? FIRST_KEYS : k->size * 2;
	uint32_t *chains;
	struct json_key *keys;

	if (budget_ask(k->memory, (size - k->size) * (sizeof(*keys) + CHAINS_PER_KEY * sizeof(*chains)), e) < 0)
		return -1;
	chains = calloc(CHAINS_PER_KEY * size, sizeof(*chains));
	keys = chains == NULL ? NULL : realloc(k->keys, size * sizeof(*keys));
	if (keys == NULL) {
		free(chains);
		return err_fail_memory(e);
	}
	free(k->chains);
	k->chains = chains;
	k->keys = keys;
	k->size = size;
	for (size_t i = 0; i < k->count; i++)
		chain_push(k, i);
	return 0;
}

/* Whether the innermost object, whose keys start at index `from`, has this key. */
static bool
keys_have(const struct json_keys *k, size_t from, const struct json_key *key, const char *text)
{
	const struct json_key *other;

	for (size_t i = *chain_of(k, key->hash); i > from; i = other->below) {
		other = &k->keys[i - 1];
		if (other->hash == key->hash && other->len == key->len &&
		    memcmp(text + other->at, text + key->at, key->len) == 0)
			return true;
	}
	return false;
}

int
json_keys_add(
    struct json_keys *k, size_t from, const struct json_key *key, const char *text, uint64_t at, struct err *e)
{
	char quote[EXCERPT_BYTES];

	if (k->size > 0 && keys_have(k, from, key, text))
		return err_fail_at(e, ERR_BAD_JSON, at, "the key \"%s\" is given twice in one object",
		    excerpt_text(text + key->at, key->len, quote));
	if (k->total == k->total_max)
		return err_fail_at(e, ERR_BAD_JSON, at, "a body may have at most %zu keys", k->total_max);
	if (k->count - from == k->object_max)
		return err_fail_at(e, ERR_BAD_JSON, at, "an object may have at most %zu keys", k->object_max);
	if (k->count == k->size && keys_grow(k, e) < 0)
		return -1;
	k->keys[k->count] = *key;
	chain_push(k, k->count++);
	k->total++;
	return 0;
}

void
json_keys_close(struct json_keys *k, size_t from)
{
	for (; k->count > from; k->count--)
		*chain_of(k, k->keys[k->count - 1].hash) = k->keys[k->count - 1].below;
}

void
json_keys_fini(struct json_keys *k)
{
	free(k->keys);
	free(k->chains);
	*k = (struct json_keys){ 0 };
}
