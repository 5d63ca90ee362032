/* SPDX-License-Identifier: MIT */
#include "handlers/option.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"

#define LABEL_BYTES 64
#define WANTED_BYTES 128

/* How much a message shows of a wrong word in the query: a digest is shown whole. */
#define WORD_SHOWN_MAX ((size_t)80)

/* A text in the query, or a string in the body; "" for another type of member. */
static const char *
text_of(const struct option *o)
{
	if (o->text != NULL)
		return o->text;
	return envelope_type(o->member) == ENVELOPE_STRING ? envelope_text(o->member) : "";
}

static int
read_bool(const struct input *in, const struct option *o, uint64_t *out)
{
	static const char *const words[] = { "false", "true", "0", "1" };

	if (o->member != NULL) {
		*out = envelope_bool(o->member);
		return envelope_type(o->member) == ENVELOPE_BOOL ? 0 : -1;
	}
	*out = true;
	if (o->len == 0 && in->type == INPUT_BOOL)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == o->len && strncasecmp(words[i], o->text, o->len) == 0) {
			*out = i % 2;
			return 0;
		}
	return -1;
}

static int
read_uint(const struct input *in, const struct option *o, uint64_t *out)
{
	bool good;

	*out = 0;
	good = o->member != NULL ? envelope_uint64(o->member, out) == 0 : o->len > 0;
	for (size_t i = 0; good && i < o->len; i++) {
		const char c = o->text[i];

		good = c >= '0' && c <= '9' && !__builtin_mul_overflow(*out, 10, out) &&
		    !__builtin_add_overflow(*out, (uint64_t)(c - '0'), out);
	}
	return good && *out >= in->min && *out <= in->max ? 0 : -1;
}

static int
read_number(const struct input *in, const struct option *o, uint64_t *out)
{
	const char *end;
	double value;

	(void)in;
	if (o->member != NULL) {
		if (envelope_double(o->member, &value) < 0)
			return -1;
	} else if (decimal_read(o->text, o->text + o->len + 1, &end, DECIMAL_F64, &value) != DECIMAL_OK ||
	    end != o->text + o->len)
		return -1;
	memcpy(out, &value, sizeof(value));
	return value > 0 ? 0 : -1;
}

static int
read_choice(const struct input *in, const struct option *o, uint64_t *out)
{
	for (*out = 0; in->choices[*out] != NULL; ++*out)
		if (strcmp(in->choices[*out], text_of(o)) == 0)
			return 0;
	return -1;
}

/* By the type of an input, or of the values of its list. -1: the value is not of the type. */
static int (*const readers[])(const struct input *in, const struct option *o, uint64_t *out) = {
	[INPUT_BOOL] = read_bool,
	[INPUT_UINT] = read_uint,
	[INPUT_NUMBER] = read_number,
	[INPUT_CHOICE] = read_choice,
	[INPUT_UINTS] = read_uint,
	[INPUT_TENSOR] = read_bool,
};

/* What a value of the input's type must be, for messages. */
static void
describe(const struct input *in, char out[WANTED_BYTES])
{
	size_t len = 0;

	if (in->type == INPUT_CHOICE)
		for (const char *const *choice = in->choices; *choice != NULL && len < WANTED_BYTES; choice++)
			len += (size_t)snprintf(
			    out + len, WANTED_BYTES - len, "%s\"%s\"", choice == in->choices ? "" : " or ", *choice);
	else if (readers[in->type] == read_bool)
		snprintf(out, WANTED_BYTES, "true or false%s", in->type == INPUT_TENSOR ? ", or 1 or 0" : "");
	else if (in->type == INPUT_NUMBER)
		snprintf(out, WANTED_BYTES, "a number above 0");
	else if (in->max < INT64_MAX)
		snprintf(out, WANTED_BYTES, "a whole number from %" PRIu64 " to %" PRIu64, in->min, in->max);
	else
		snprintf(out, WANTED_BYTES, "a whole number from %" PRIu64 " to 2^%d - 1", in->min,
		    in->max == UINT64_MAX ? 64 : 63);
}

/* The one wording for a value that is wrong. `label`: what the message calls it. */
static int
refuse(const struct input *in, const char *label, const char *wanted, const struct option *o, struct err *e)
{
	char shown[WORD_SHOWN_MAX + sizeof("\"...\"")], near[SUGGEST_BYTES] = "";

	static_assert(sizeof(shown) >= ENVELOPE_SHOWN_BYTES, "a member of the body fits as well");
	if (o->text == NULL)
		envelope_shown(o->member, shown);
	else
		snprintf(shown, sizeof(shown), "\"%.*s%s\"", (int)(o->len < WORD_SHOWN_MAX ? o->len : WORD_SHOWN_MAX),
		    o->text, o->len > WORD_SHOWN_MAX ? "..." : "");
	if (in->type == INPUT_CHOICE)
		suggest_among(text_of(o), in->choices, near);
	return err_fail(e, ERR_BAD_PARAMETER, "%s must be %s; it is %s%s%s", label, wanted, shown, near,
	    in->type == INPUT_UINTS && envelope_type(o->member) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
}

/* The option is missing: names the object, the body or the query that should have it. */
static int
refuse_absent(const struct input *in, const char *wanted, struct err *e)
{
	const char *whole = in->parent != NULL ? in->parent : (in->places & INPUT_BODY) != 0 ? "the body" : "the query";
	const char *quote = in->parent != NULL ? "\"" : "";

	return err_fail(
	    e, ERR_BAD_PARAMETER, "%s%s%s has no \"%s\", which must be %s", quote, whole, quote, in->name, wanted);
}

int
option_refuse(const struct input *in, const struct option *o, const char *wanted, struct err *e)
{
	const bool nested = in->parent != NULL;
	char label[LABEL_BYTES];

	if (!option_given(o))
		return refuse_absent(in, wanted, e);
	snprintf(label, sizeof(label), "\"%s%s%s\"", nested ? in->parent : "", nested ? "." : "", in->name);
	return refuse(in, label, wanted, o, e);
}

static int
refuse_type(const struct input *in, const struct option *o, struct err *e)
{
	char wanted[WANTED_BYTES];

	describe(in, wanted);
	return option_refuse(in, o, wanted, e);
}

int
option_find(const struct request *rq, const struct input *in, struct option *out, struct err *e)
{
	*out = (struct option){ 0 };
	if ((in->places & INPUT_QUERY) != 0)
		out->text = input_query(rq, in);
	if (out->text != NULL)
		out->len = strlen(out->text);
	if ((in->places & INPUT_BODY) != 0)
		out->member = envelope_get(body_envelope(rq->body), in->name);
	if (out->text == NULL || out->member == NULL || in->both)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is given both in the query and in the body", in->name);
}

int
option_read(const struct input *in, const struct option *o, uint64_t *value, struct err *e)
{
	const struct option places[] = { { .text = o->text, .len = o->len }, { .member = o->member } };
	uint64_t n, least = UINT64_MAX;

	if (!option_given(o))
		return in->needed ? refuse_type(in, o, e) : 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!option_given(&places[i]))
			continue;
		if (readers[in->type](in, &places[i], &n) < 0)
			return refuse_type(in, &places[i], e);
		least = n < least ? n : least;
	}
	*value = least;
	return 0;
}

int
option_get(const struct request *rq, const struct input *in, uint64_t *value, struct err *e)
{
	struct option o;

	return option_find(rq, in, &o, e) < 0 ? -1 : option_read(in, &o, value, e);
}

int
option_get_bool(const struct request *rq, const struct input *in, bool *value, struct err *e)
{
	uint64_t n = *value;

	if (option_get(rq, in, &n, e) < 0)
		return -1;
	*value = n != 0;
	return 0;
}

int
option_get_number(const struct request *rq, const struct input *in, double *value, struct err *e)
{
	uint64_t bits;

	memcpy(&bits, value, sizeof(bits));
	if (option_get(rq, in, &bits, e) < 0)
		return -1;
	memcpy(value, &bits, sizeof(bits));
	return 0;
}

int
option_get_member(const struct cJSON *object, const struct input *in, uint64_t *value, struct err *e)
{
	return option_read(in, &(struct option){ .member = envelope_get(object, in->name) }, value, e);
}

int
option_refuse_value(const struct input *in, size_t at, const struct option *value, const char *wanted, struct err *e)
{
	char label[LABEL_BYTES];

	snprintf(label, sizeof(label), "value %zu of \"%.32s\"", at, in->name);
	return refuse(in, label, wanted, value, e);
}

static int
refuse_value(const struct input *in, size_t at, const struct option *value, struct err *e)
{
	char wanted[WANTED_BYTES];

	describe(in, wanted);
	return option_refuse_value(in, at, value, wanted, e);
}

/* Makes `value`, which is zeroed before the first, the list's next value: an element, or "3" of "3,5,2". */
static bool
next_value(const struct option *list, struct option *value)
{
	if (list->text == NULL) {
		value->member = value->member == NULL ? envelope_first(list->member) : envelope_next(value->member);
		return value->member != NULL;
	}
	if (value->text != NULL && value->text[value->len] == '\0')
		return false;
	value->text = value->text == NULL ? list->text : value->text + value->len + 1;
	value->len = strcspn(value->text, ",");
	return true;
}

int
option_read_list(
    const struct input *in, const struct option *o, option_take *take, void *arg, size_t *count, struct err *e)
{
	struct option value = { 0 };
	uint64_t n;

	if (o->text == NULL && envelope_type(o->member) != ENVELOPE_ARRAY)
		return option_refuse(in, o, "a list of whole numbers", e);
	for (*count = 0; next_value(o, &value); ++*count) {
		if (readers[in->type](in, &value, &n) < 0)
			return refuse_value(in, *count, &value, e);
		if (take(arg, *count, n, e) < 0)
			return -1;
	}
	return 0;
}

int
option_parse(const char *text, option_read_json *read, void *arg, struct err *e)
{
	struct json_scan *scan = json_scan_new(NULL, 0, 0, NULL);
	int result = -1;

	if (scan == NULL)
		return err_fail_memory(e);
	if (json_scan_feed(scan, text, strlen(text), e) == 0 && json_scan_finish(scan, e) == 0)
		result = read(arg, json_scan_envelope(scan), e);
	json_scan_free(scan);
	return result;
}

int
option_read_object(const struct input *in, const struct option *o, option_read_json *read, void *arg, struct err *e)
{
	struct err why;

	if (o->member != NULL)
		return read(arg, o->member, e);
	if (option_parse(o->text, read, arg, e) == 0)
		return 0;
	why = *e;
	if (why.code != ERR_BAD_JSON)
		return -1;
	/* An offset in the query is none in the body. */
	return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" in the query is not valid JSON: %.300s", in->name, why.detail);
}
