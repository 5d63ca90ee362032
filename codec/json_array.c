/* SPDX-License-Identifier: MIT */
/*
 * json_run.c reads the numbers; here is everything else: brackets, white space, the end of the list's or the memory's
 * room, the end of the input. A number that the end of the input may have cut is copied until the byte after it comes.
 */
#include "codec/json_array.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/excerpt.h"
#include "codec/json_doubts.h"
#include "codec/json_run.h"

int
json_array_begin(struct json_array *a, const char *name, const struct json_shape *given,
    const struct json_values *values, uint64_t at, struct err *e)
{
	*a = (struct json_array){ .values = *values, .state = JSON_ARRAY_ELEMENT };
	json_nesting_begin(&a->nesting, name, given);
	buf_init(&a->partial, 2 * JSON_PIECE_MAX + 1);
	return given->rank > 0 ? json_values_expect(&a->values, given->count, at, e) : 0;
}

void
json_array_fini(struct json_array *a)
{
	free(a->values.bytes);
	json_doubts_free(a->values.doubts);
	buf_fini(&a->partial);
	*a = (struct json_array){ 0 };
}

static bool
array_of_booleans(const struct json_array *a)
{
	return a->values.datatype == DATATYPE_BOOL;
}

/* The error of the number at [p, end), `at` in the document; for DECIMAL_INVALID `end` is the wrong byte. */
static int
array_number_error(
    const struct json_array *a, enum decimal_result r, const char *p, const char *end, uint64_t at, struct err *e)
{
	const char *name = a->nesting.name;
	size_t len = (size_t)(end - p);
	char text[EXCERPT_BYTES], quote[EXCERPT_BYTES];

	switch (r) {
	case DECIMAL_OVERFLOW:
		if (array_of_booleans(a))
			return err_fail_at(e, ERR_BAD_PARAMETER, at, "\"%s\" has %s; it must be true or false, 1 or 0",
			    name, excerpt_text(p, len, quote));
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: %s does not fit %s", name, excerpt_text(p, len, quote),
		    datatype_name(a->values.datatype));
	case DECIMAL_INVALID:
		return err_fail_at(
		    e, ERR_BAD_JSON, at + len, "%s: unexpected %s in a number", name, excerpt_byte(*end, text));
	default:
		return err_fail_memory(e);
	}
}

/* Checks that a value may come at `at`, and makes room for it. */
static int
array_expect_value(struct json_array *a, uint64_t at, struct err *e)
{
	if (json_nesting_value(&a->nesting, at, e) < 0)
		return -1;
	return a->values.count == a->values.capacity ? json_values_grow(&a->values, at, e) : 0;
}

/* Takes numbers, of which one starts at in->p. */
static int
array_numbers(struct json_array *a, struct json_input *in, struct err *e)
{
	enum decimal_result r;
	const char *end = NULL;
	size_t room, list_room;

	if (array_expect_value(a, json_input_at(in, in->p), e) < 0)
		return -1;
	room = a->values.capacity - a->values.count;
	list_room = json_nesting_room(&a->nesting);
	r = json_run_read(a, list_room < room ? list_room : room, in, &end);
	if (r == DECIMAL_OK)
		return 0;
	if (r != DECIMAL_INCOMPLETE)
		return array_number_error(a, r, in->p, end, json_input_at(in, in->p), e);
	a->state = JSON_ARRAY_NUMBER;
	a->number = JSON_NUMBER_START;
	a->number_at = json_input_at(in, in->p);
	buf_clear(&a->partial);
	return 0;
}

/* Reads the gathered number, whose grammar has been checked. */
static int
array_gathered(struct json_array *a, struct err *e)
{
	struct json_input in = { .start_at = a->number_at };
	const char *end = NULL;
	enum decimal_result r;

	buf_byte(&a->partial, ' ');
	if (a->partial.failed)
		return err_fail_memory(e);
	in.p = in.start = a->partial.bytes;
	in.end = in.start + a->partial.len;
	r = json_run_read(a, 1, &in, &end);
	assert(r != DECIMAL_INCOMPLETE && r != DECIMAL_INVALID);
	if (r != DECIMAL_OK)
		return array_number_error(a, r, a->partial.bytes, end, a->number_at, e);
	return a->values.open ? json_doubts_note(&a->values, a->values.count - 1, a->partial.bytes, a->number_at, e) :
				0;
}

/* Continues a number that an earlier piece of the input has cut. */
static int
array_gather(struct json_array *a, struct json_input *in, struct err *e)
{
	const char *end = json_number_skip(&a->number, in->p, in->end);

	buf_add(&a->partial, in->p, (size_t)(end - in->p));
	in->p = end;
	if (a->partial.failed)
		return err_fail_memory(e);
	if (a->partial.len > JSON_PIECE_MAX)
		return err_fail_at(e, ERR_BAD_TENSOR, a->number_at, "%s: a number may have at most %zu characters",
		    a->nesting.name, JSON_PIECE_MAX);
	if (end == in->end)
		return 0;
	if (!json_number_ends(a->number, *end))
		return array_number_error(a, DECIMAL_INVALID, end, end, json_input_at(in, end), e);
	return array_gathered(a, e);
}

/* Continues true or false, whose rest may come in another piece. */
static int
array_word(struct json_array *a, struct json_input *in, struct err *e)
{
	char text[EXCERPT_BYTES];

	for (; *a->word != '\0' && in->p < in->end; a->word++, in->p++)
		if (*in->p != *a->word)
			return err_fail_at(e, ERR_BAD_JSON, json_input_at(in, in->p),
			    "%s: expected the rest of true or false, not %s", a->nesting.name,
			    excerpt_byte(*in->p, text));
	if (*a->word != '\0')
		return 0;
	a->values.bytes[a->values.count++] = a->word_value;
	json_nesting_add(&a->nesting, 1);
	a->state = JSON_ARRAY_COMMA;
	return 0;
}

static int
array_word_begin(struct json_array *a, char c, uint64_t at, struct err *e)
{
	if (array_expect_value(a, at, e) < 0)
		return -1;
	a->word = c == 't' ? "true" : "false";
	a->word_value = c == 't';
	a->state = JSON_ARRAY_WORD;
	return 0;
}

/* An unexpected byte. What could begin another JSON value makes a wrong tensor; anything else is not JSON. */
static int
array_unexpected(const struct json_array *a, char c, uint64_t at, struct err *e)
{
	const char *name = a->nesting.name, *wanted = array_of_booleans(a) ? "true, false, 1 or 0" : "a number";
	char text[EXCERPT_BYTES];

	if (a->state == JSON_ARRAY_COMMA)
		return err_fail_at(e, ERR_BAD_JSON, at, "%s: expected ',' or ']', not %s", name, excerpt_byte(c, text));
	if (c == '{')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: expected a number or a list, not an object%s", name,
		    JSON_TYPED_ARRAY_HINT);
	if (c == '"' || c == 't' || c == 'f' || c == 'n')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: expected %s, or a list, not %s", name, wanted,
		    c == '"'     ? "a string" :
			c == 'n' ? "null (JSON has no NaN)" :
				   "true or false");
	return err_fail_at(e, ERR_BAD_JSON, at, "%s: expected %s, or a list, not %s%s", name, wanted,
	    excerpt_byte(c, text), json_hint(c));
}

/* Takes one bracket or comma, or a run of numbers. */
static int
array_step(struct json_array *a, struct json_input *in, struct err *e)
{
	bool element = a->state != JSON_ARRAY_COMMA;
	uint64_t at = json_input_at(in, in->p);
	char c = *in->p;

	if (element && json_starts_number(c))
		return array_numbers(a, in, e);
	if (element && c == '[') {
		a->state = JSON_ARRAY_OPENED;
		in->p++;
		return json_nesting_open(&a->nesting, at, e);
	}
	if (element && array_of_booleans(a) && (c == 't' || c == 'f'))
		return array_word_begin(a, c, at, e);
	if (c == ']' && a->state != JSON_ARRAY_ELEMENT) {
		a->state = JSON_ARRAY_COMMA;
		in->p++;
		return json_nesting_close(&a->nesting, at, e);
	}
	if (c == ',' && a->state == JSON_ARRAY_COMMA) {
		a->state = JSON_ARRAY_ELEMENT;
		in->p++;
		return 0;
	}
	return array_unexpected(a, c, at, e);
}

/* Takes the list as far as it is there. */
static int
array_feed(struct json_array *a, struct json_input *in, struct err *e)
{
	do {
		if (a->state == JSON_ARRAY_NUMBER) {
			if (array_gather(a, in, e) < 0)
				return -1;
		} else if (a->state == JSON_ARRAY_WORD) {
			if (array_word(a, in, e) < 0)
				return -1;
		} else if (json_skip_space(in) && array_step(a, in, e) < 0)
			return -1;
	} while (in->p < in->end && a->nesting.level > 0);
	return a->nesting.level == 0;
}

/* The same for values whose datatype is not known yet: those of a piece of the input are checked together. */
static int
array_feed_open(struct json_array *a, struct json_input *in, struct err *e)
{
	const bool cut = a->state == JSON_ARRAY_NUMBER;
	const char *text = in->p;
	size_t from = a->values.count;
	int result;

	if (cut) {
		if (array_gather(a, in, e) < 0)
			return -1;
		if (a->state == JSON_ARRAY_NUMBER)
			return 0;
		text = in->p;
		from = a->values.count;
	}
	result = array_feed(a, in, e);
	if (result >= 0 && json_doubts_note(&a->values, from, text, json_input_at(in, text), e) < 0)
		return -1;
	return result;
}

int
json_array_feed(struct json_array *a, struct json_input *in, struct err *e)
{
	return a->values.open ? array_feed_open(a, in, e) : array_feed(a, in, e);
}
