/*
 * Duplicate keys. A plain list for each open object is enough: a document has at most JSON_KEYS_MAX keys, so that even with all
 * of them in one object a few million comparisons of hashes, some milliseconds, are the worst that a body can cause.
 */
#include "codec/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "codec/excerpt.h"
#include "codec/json_input.h"
#include "codec/json_scan.h"

static int
keys_grow(struct json_keys *k, struct err *e)
{
	size_t size = k->size == 0 ? 32 : k->size * 2;
	struct json_key *keys;

	if (budget_ask(k->memory, (size - k->size) * sizeof(*keys), e) < 0)
		return -1;
	keys = realloc(k->keys, size * sizeof(*keys));
	if (keys == NULL)
		return err_set_memory(e);
	k->keys = keys;
	k->size = size;
	return 0;
}

int
json_keys_add(struct json_keys *k, size_t from, const struct json_key *key, const char *text, uint64_t at, struct err *e)
{
	const char *name = text + key->at;
	char quote[EXCERPT_BYTES];

	for (size_t i = from; i < k->count; i++)
		if (k->keys[i].hash == key->hash && k->keys[i].len == key->len &&
		    memcmp(text + k->keys[i].at, name, key->len) == 0)
			return err_set_at(e, ERR_BAD_JSON, at, "the key \"%s\" is given twice in one object",
			    excerpt_text(name, key->len, quote));
	if (k->total == JSON_KEYS_MAX)
		return err_set_at(e, ERR_BAD_JSON, at, "a body may have at most %d keys", JSON_KEYS_MAX);
	if (k->count == k->size && keys_grow(k, e) < 0)
		return -1;
	k->keys[k->count++] = *key;
	k->total++;
	return 0;
}

void
json_keys_fini(struct json_keys *k)
{
	free(k->keys);
	*k = (struct json_keys){ 0 };
}
