/* SPDX-License-Identifier: MIT */
#include "handlers/input.h"

#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "layer/definition.h"

const char *
request_query(const struct request *rq, const char *name)
{
	for (unsigned i = 0; i < rq->query_count; i++)
		if (strcmp(rq->query[i].name, name) == 0)
			return rq->query[i].value;
	return NULL;
}

int
request_query_bool(const struct request *rq, const char *name, bool fallback, bool *out, struct err *e)
{
	const char *value = request_query(rq, name);

	*out = fallback;
	if (value == NULL)
		return 0;
	if (*value == '\0')
		*out = true;
	else if (request_parse_bool(value, strlen(value), out) < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; it must be true or false", name, value);
	return 0;
}

int
request_parse_bool(const char *text, size_t len, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "false", false }, { "1", true }, { "0", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, text, len) == 0) {
			*out = words[i].value;
			return 0;
		}
	return -1;
}

int
request_parse_uint(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return -1;
	*out = n;
	return 0;
}

int
request_object(const struct request *rq, const char *const *allowed, const struct cJSON **out, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body);
	char near[SUGGEST_BYTES];
	bool known;

	*out = NULL;
	if (rq->form != FORM_JSON)
		return 0;
	if (envelope_type(root) == ENVELOPE_TENSOR)
		return 0;
	if (envelope_type(root) != ENVELOPE_OBJECT)
		return err_fail(e, ERR_BAD_PARAMETER, "the body of this call must be an object, not %s",
		    envelope_type_name(envelope_type(root)));
	for (const struct cJSON *m = envelope_first(root); m != NULL; m = envelope_next(m)) {
		known = false;
		for (size_t i = 0; allowed[i] != NULL && !known; i++)
			known = strcmp(allowed[i], envelope_key(m)) == 0;
		if (!known)
			return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member of the body of this call%s",
			    envelope_key(m), suggest_among(envelope_key(m), allowed, near));
	}
	*out = root;
	return 0;
}

int
request_settle(struct request *rq, const struct definition *d, struct err *e)
{
	return rq->body != NULL ? body_settle(rq->body, d->datatype, e) : 0;
}

int
request_tensor(const struct request *rq, size_t slot, const char *name, struct tensor **out, struct err *e)
{
	*out = body_tensor(rq->body, slot);
	return *out != NULL ? 0 : err_fail(e, ERR_BAD_TENSOR, "the body has no \"%s\"", name);
}

int
request_check_answer(const struct request *rq, const struct tensor *t, struct err *e)
{
	if (rq->answer_form != FORM_JSON || datatype_is_textual(t->datatype))
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE, "%s has no form in JSON; ask for %s by Accept",
	    datatype_name(t->datatype), form_media_type(FORM_NPY));
}
