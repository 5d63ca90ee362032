/* SPDX-License-Identifier: MIT */
#include "handlers/idempotency.h"

#include <string.h>

#include "handlers/input.h"
#include "handlers/routes.h"

/* Removes the quotes and backslashes of a quoted string (RFC 8941, section 3.3.3). -1: not a quoted string. */
static int
unquote(const char *text, size_t len, char *out, size_t *out_len)
{
	*out_len = 0;
	for (size_t i = 1; i + 1 < len; i++) {
		if (text[i] == '"')
			return -1;
		if (text[i] == '\\' && (++i + 1 == len || (text[i] != '"' && text[i] != '\\')))
			return -1;
		out[(*out_len)++] = text[i];
	}
	return 0;
}

/* Copies the key in `text` into the request's memory. */
static int
parse_key(struct request *rq, const char *text, char **key, struct err *e)
{
	const size_t len = strlen(text);
	bool good = len > 0 && len <= 2 * IDEMPOTENCY_KEY_MAX + 2;
	size_t key_len = len;

	for (size_t i = 0; i < len; i++)
		good = good && text[i] >= ' ' && text[i] <= '~';
	*key = arena_text(&rq->workspace.arena, text, good ? len : 0);
	if (*key == NULL)
		return err_fail_memory(e);
	if (good && text[0] == '"')
		good = len >= 2 && text[len - 1] == '"' && unquote(text, len, *key, &key_len) == 0;
	(*key)[good ? key_len : 0] = '\0';
	if (!good || key_len == 0 || key_len > IDEMPOTENCY_KEY_MAX)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "Idempotency-Key must be 1 to %d printable ASCII characters, with or without double quotes",
		    IDEMPOTENCY_KEY_MAX);
	return 0;
}

int
idempotency_begin(struct request *rq, const char *header, struct err *e)
{
	char *key;

	if (header == NULL || !rq->route->takes_key)
		return 0;
	if (parse_key(rq, header, &key, e) < 0)
		return -1;
	rq->digest = digest_new();
	if (rq->digest == NULL)
		return err_fail_memory(e);
	/* The same key and body on another route are another request. */
	digest_add(rq->digest, rq->route->path, strlen(rq->route->path));
	/* No layer has the name "". */
	rq->claim = (struct claim){ .model = rq->model, .layer = rq->layer != NULL ? rq->layer : "", .key = key };
	if (claims_take(rq->claims, &rq->claim))
		return 0;
	err_set(e, ERR_IDEMPOTENCY_IN_FLIGHT,
	    "the first request with this Idempotency-Key is still running; repeat this one later");
	e->retry_after_s = 1;
	return -1;
}

void
idempotency_add_query(struct request *rq)
{
	const struct input *const *inputs = rq->route->inputs;
	const char *value;

	for (; rq->digest != NULL && *inputs != NULL; inputs++) {
		value = (*inputs)->stored ? input_query(rq, *inputs) : NULL;
		if (value == NULL)
			continue;
		digest_add(rq->digest, (*inputs)->name, strlen((*inputs)->name) + 1);
		digest_add(rq->digest, value, strlen(value) + 1);
	}
}

void
idempotency_guard(struct request *rq)
{
	if (rq->digest == NULL)
		return;
	rq->op.kind = STORE_CHANGE;
	rq->op.change.key = rq->claim.key;
	digest_get(rq->digest, rq->op.change.key_digest);
}
