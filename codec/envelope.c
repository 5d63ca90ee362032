/* SPDX-License-Identifier: MIT */
#include "codec/envelope.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/excerpt.h"
#include "codec/json_integer.h"

static enum envelope_type
envelope_string_type(const char *marked)
{
	return marked[0] == 'n' ? ENVELOPE_NUMBER : marked[0] == 't' ? ENVELOPE_TENSOR : ENVELOPE_STRING;
}

enum envelope_type
envelope_type(const struct cJSON *value)
{
	if (value == NULL)
		return ENVELOPE_ABSENT;
	switch (value->type) {
	case cJSON_True:
	case cJSON_False:
		return ENVELOPE_BOOL;
	case cJSON_String:
		return envelope_string_type(value->valuestring);
	case cJSON_Array:
		return ENVELOPE_ARRAY;
	case cJSON_Object:
		return ENVELOPE_OBJECT;
	default:
		return ENVELOPE_NULL;
	}
}

const char *
envelope_type_name(enum envelope_type type)
{
	static const char *const names[] = {
		[ENVELOPE_ABSENT] = "nothing",
		[ENVELOPE_NULL] = "null",
		[ENVELOPE_BOOL] = "a boolean",
		[ENVELOPE_NUMBER] = "a number",
		[ENVELOPE_STRING] = "a string",
		[ENVELOPE_ARRAY] = "a list",
		[ENVELOPE_OBJECT] = "an object",
		[ENVELOPE_TENSOR] = "a tensor",
	};

	return names[type];
}

const char *
envelope_shown(const struct cJSON *value, char out[ENVELOPE_SHOWN_BYTES])
{
	const enum envelope_type type = envelope_type(value);
	char text[EXCERPT_BYTES];

	if (type == ENVELOPE_STRING)
		snprintf(out, ENVELOPE_SHOWN_BYTES, "\"%s\"",
		    excerpt_text(envelope_text(value), strlen(envelope_text(value)), text));
	else if (type == ENVELOPE_NUMBER)
		excerpt_text(envelope_text(value), strlen(envelope_text(value)), out);
	else if (type == ENVELOPE_BOOL)
		snprintf(out, ENVELOPE_SHOWN_BYTES, "%s", envelope_bool(value) ? "true" : "false");
	else
		snprintf(
		    out, ENVELOPE_SHOWN_BYTES, "%s", type == ENVELOPE_ABSENT ? "absent" : envelope_type_name(type));
	return out;
}

const struct cJSON *
envelope_get(const struct cJSON *object, const char *key)
{
	const struct cJSON *member;

	if (object == NULL || object->type != cJSON_Object)
		return NULL;
	/* The first bytes nearly always tell. Calls of cJSON's functions or of strcmp would be most of the cost. */
	for (member = object->child; member != NULL; member = member->next)
		if (member->string[0] == key[0] && strcmp(member->string, key) == 0)
			break;
	return member == NULL || member->type == cJSON_NULL ? NULL : member;
}

const struct cJSON *
envelope_first(const struct cJSON *value)
{
	return value != NULL ? value->child : NULL;
}

const struct cJSON *
envelope_next(const struct cJSON *value)
{
	return value->next;
}

const char *
envelope_key(const struct cJSON *value)
{
	return value->string;
}

bool
envelope_bool(const struct cJSON *value)
{
	return cJSON_IsTrue(value);
}

const char *
envelope_text(const struct cJSON *value)
{
	return value->valuestring + 1;
}

int
envelope_double(const struct cJSON *value, double *out)
{
	const char *text, *end;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return -1;
	text = envelope_text(value);
	/* The NUL is within the limit: it is the byte that ends the number. */
	return decimal_read(text, text + strlen(text) + 1, &end, DECIMAL_F64, out) == DECIMAL_OK ? 0 : -1;
}

static int
envelope_integer(const struct cJSON *value, bool *negative, uint64_t *magnitude)
{
	const char *text;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return -1;
	text = envelope_text(value);
	return json_integer_parse(text, strlen(text), negative, magnitude);
}

int
envelope_uint64(const struct cJSON *value, uint64_t *out)
{
	uint64_t magnitude;
	bool negative;

	if (envelope_integer(value, &negative, &magnitude) < 0 || (negative && magnitude != 0))
		return -1;
	*out = magnitude;
	return 0;
}

int
envelope_int64(const struct cJSON *value, int64_t *out)
{
	uint64_t magnitude;
	bool negative;

	if (envelope_integer(value, &negative, &magnitude) < 0 || magnitude > (uint64_t)INT64_MAX + negative)
		return -1;
	/* -2^63 has no positive counterpart: one is taken off before the sign turns. */
	*out = !negative || magnitude == 0 ? (int64_t)magnitude : -(int64_t)(magnitude - 1) - 1;
	return 0;
}
