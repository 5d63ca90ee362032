/* SPDX-License-Identifier: MIT */
#include "handlers/option.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "codec/json_scan.h"
#include "handlers/option_types.h"

#define LABEL_BYTES 64

/* How much a message shows of a wrong word in the query. */
#define WORD_SHOWN_MAX ((size_t)64)

/* What messages call an input: "seed", or "sync.rank". */
static void
label_input(const struct input *in, char out[LABEL_BYTES])
{
	const bool nested = in->parent != NULL;

	snprintf(out, LABEL_BYTES, "\"%s%s%s\"", nested ? in->parent : "", nested ? "." : "", in->name);
}

/* The one wording for a value that is wrong. `text`: it is the first `len` bytes of this; NULL: it is the member. */
static int
refuse(const struct input *in, const char *label, const char *wanted, const char *text, size_t len,
    const struct cJSON *member, struct err *e)
{
	char shown[ENVELOPE_SHOWN_BYTES], near[SUGGEST_BYTES] = "";

	if (text == NULL) {
		text = envelope_type(member) == ENVELOPE_STRING ? envelope_string(member) : "";
		envelope_shown(member, shown);
	} else {
		snprintf(shown, sizeof(shown), "\"%.*s\"", (int)(len < WORD_SHOWN_MAX ? len : WORD_SHOWN_MAX), text);
	}
	if (in->type == INPUT_CHOICE)
		suggest_among(text, in->choices, near);
	return err_fail(e, ERR_BAD_PARAMETER, "%s must be %s; it is %s%s%s", label, wanted, shown, near,
	    in->type == INPUT_UINTS && envelope_type(member) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
}

int
option_refuse(const struct input *in, const struct option *o, const char *wanted, struct err *e)
{
	char label[LABEL_BYTES];

	label_input(in, label);
	return refuse(in, label, wanted, o->text, o->text != NULL ? strlen(o->text) : 0, o->member, e);
}

int
option_find(const struct request *rq, const struct input *in, struct option *out, struct err *e)
{
	*out = (struct option){ 0 };
	if ((in->places & INPUT_QUERY) != 0)
		out->text = input_query(rq, in);
	if ((in->places & INPUT_BODY) != 0)
		out->member = envelope_get(body_envelope(rq->body), in->name);
	if (out->text == NULL || out->member == NULL || in->both)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is given both in the query and in the body", in->name);
}

static int
refuse_type(const struct input *in, const struct option *o, struct err *e)
{
	char wanted[OPTION_WANTED_BYTES];

	option_types[in->type]->describe(in, wanted);
	return option_refuse(in, o, wanted, e);
}

int
option_read(const struct input *in, const struct option *o, uint64_t *value, struct err *e)
{
	const struct option_type *r = option_types[in->type];
	uint64_t text = UINT64_MAX, member = UINT64_MAX;

	if (!option_given(o))
		return in->needed ? refuse_type(in, o, e) : 0;
	if (o->text != NULL && *o->text == '\0' && in->type == INPUT_BOOL)
		text = true;
	else if (o->text != NULL && r->from_text(in, o->text, strlen(o->text), &text) < 0)
		return refuse_type(in, o, e);
	if (o->member != NULL && r->from_member(in, o->member, &member) < 0)
		return refuse_type(in, &(struct option){ .member = o->member }, e);
	*value = text < member ? text : member;
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
option_get_member(const struct cJSON *object, const struct input *in, uint64_t *value, struct err *e)
{
	return option_read(in, &(struct option){ .member = envelope_get(object, in->name) }, value, e);
}

/* A value of a list is wrong. */
static int
refuse_value(const struct input *in, size_t at, const char *text, size_t len, const struct cJSON *member, struct err *e)
{
	char name[LABEL_BYTES / 2], label[LABEL_BYTES], wanted[OPTION_WANTED_BYTES];

	snprintf(name, sizeof(name), "%s", in->name);
	snprintf(label, sizeof(label), "value %zu of \"%s\"", at, name);
	option_types[in->type]->describe(in, wanted);
	return refuse(in, label, wanted, text, len, member, e);
}

/* "3,5,2" */
static int
read_text_list(const struct input *in, const char *text,
    int (*take)(void *arg, size_t at, uint64_t value, struct err *e), void *arg, size_t *count, struct err *e)
{
	uint64_t value;
	size_t len;

	for (*count = 0;; text += len + 1) {
		len = strcspn(text, ",");
		if (option_types[in->type]->from_text(in, text, len, &value) < 0)
			return refuse_value(in, *count, text, len, NULL, e);
		if (take(arg, (*count)++, value, e) < 0)
			return -1;
		if (text[len] == '\0')
			return 0;
	}
}

int
option_read_list(const struct input *in, const struct option *o,
    int (*take)(void *arg, size_t at, uint64_t value, struct err *e), void *arg, size_t *count, struct err *e)
{
	uint64_t value;

	if (o->text != NULL)
		return read_text_list(in, o->text, take, arg, count, e);
	if (envelope_type(o->member) != ENVELOPE_ARRAY)
		return option_refuse(in, o, "a list of whole numbers", e);
	*count = 0;
	for (const struct cJSON *n = envelope_first(o->member); n != NULL; n = envelope_next(n)) {
		if (option_types[in->type]->from_member(in, n, &value) < 0)
			return refuse_value(in, *count, NULL, 0, n, e);
		if (take(arg, (*count)++, value, e) < 0)
			return -1;
	}
	return 0;
}

/* What is wrong with a text in the query has no place in the body. */
static int
refuse_document(const struct input *in, struct err *e)
{
	const struct err why = *e;

	if (why.code != ERR_BAD_JSON)
		return -1;
	return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" in the query is not valid JSON: %.300s", in->name, why.detail);
}

int
option_read_object(const struct input *in, const struct option *o,
    int (*read)(void *arg, const struct cJSON *object, struct err *e), void *arg, struct err *e)
{
	struct json_scan *scan;
	int result;

	if (o->member != NULL)
		return read(arg, o->member, e);
	scan = json_scan_new(NULL, 0, 0, NULL);
	if (scan == NULL)
		return err_fail_memory(e);
	if (json_scan_feed(scan, o->text, strlen(o->text), e) == 0 && json_scan_finish(scan, e) == 0)
		result = read(arg, json_scan_envelope(scan), e);
	else
		result = refuse_document(in, e);
	json_scan_free(scan);
	return result;
}
