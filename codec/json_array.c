/* SPDX-License-Identifier: MIT */
/*
 * json_run.c reads the numbers; here is everything else: brackets, white space, the end of the list's or the memory's
 * room, the end of the input. A number that the end of the input may have cut is copied until the byte after it comes.
 */
#include "codec/json_array.h"

#include <assert.h>
#include <math.h>
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
	/* A minus may begin -Infinity: the number is taken byte by byte, which finds out. */
	if (r != DECIMAL_INCOMPLETE && !(r == DECIMAL_INVALID && a->values.non_finite && *in->p == '-'))
		return array_number_error(a, r, in->p, end, json_input_at(in, in->p), e);
	a->state = JSON_ARRAY_NUMBER;
	a->number = JSON_NUMBER_START;
	a->number_at = json_input_at(in, in->p);
	buf_clear(&a->partial);
	return 0;
}

/* The words that are values: of booleans, and of numbers where they need not be finite. */
struct json_word {
	const char *text;
	bool boolean;
	bool truth;
	double number;
};

static const struct json_word words[] = {
	{ .text = "true", .boolean = true, .truth = true },
	{ .text = "false", .boolean = true },
	{ .text = "NaN", .number = NAN },
	{ .text = "Infinity", .number = INFINITY },
	{ .text = "-Infinity", .number = -INFINITY },
};

/* The word of the array's kind that begins with the `len` bytes; NULL: there is none. */
static const struct json_word *
array_find_word(const struct json_array *a, const char *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((words[i].boolean ? array_of_booleans(a) : a->values.non_finite) &&
		    strncmp(words[i].text, bytes, len) == 0)
			return &words[i];
	return NULL;
}

/* Appends the word's value. Each datatype has the quiet NaN without a payload. */
static void
array_add_word(struct json_array *a)
{
	const double number = a->word->number;
	const float single = (float)number;
	const uint16_t half = isnan(number) ? 0x7e00 : number > 0 ? 0x7c00 : 0xfc00;
	const size_t size = datatype_size(a->values.datatype);
	const void *value = a->word->boolean ? (const void *)&a->word->truth :
	    size == sizeof(number)           ? (const void *)&number :
	    size == sizeof(single)           ? (const void *)&single :
					       (const void *)&half;

	memcpy(a->values.bytes + a->values.count++ * size, value, size);
	json_nesting_add(&a->nesting, 1);
	a->state = JSON_ARRAY_COMMA;
}

/* Continues a word, whose rest may come in another piece. */
static int
array_word(struct json_array *a, struct json_input *in, struct err *e)
{
	const char *rest = a->word->text + a->word_len;
	char text[EXCERPT_BYTES];

	for (; *rest != '\0' && in->p < in->end; rest++, in->p++)
		if (*in->p != *rest)
			return err_fail_at(e, ERR_BAD_JSON, json_input_at(in, in->p),
			    "%s: expected the rest of %s, not %s", a->nesting.name,
			    a->word->boolean ? "true or false" : "NaN or Infinity", excerpt_byte(*in->p, text));
	a->word_len = (unsigned)(rest - a->word->text);
	if (*rest == '\0')
		array_add_word(a);
	return 0;
}

/* A word, of which `len` bytes were taken already, begins. */
static int
array_word_begin(struct json_array *a, const struct json_word *word, unsigned len, uint64_t at, struct err *e)
{
	if (array_expect_value(a, at, e) < 0)
		return -1;
	a->word = word;
	a->word_len = len;
	a->state = JSON_ARRAY_WORD;
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
	const struct json_word *word;
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
	if (a->number == JSON_NUMBER_MINUS && (word = array_find_word(a, (const char[]){ '-', *end }, 2)) != NULL)
		return array_word_begin(a, word, 1, a->number_at, e);
	if (!json_number_ends(a->number, *end))
		return array_number_error(a, DECIMAL_INVALID, end, end, json_input_at(in, end), e);
	return array_gathered(a, e);
}

/* What begins with `c` in the place of a value. */
static const char *
array_other(const struct json_array *a, char c)
{
	if (c == '"')
		return "a string";
	if (c != 'n')
		return "true or false";
	return a->values.non_finite ? "null (a value that is missing is written NaN)" : "null (JSON has no NaN)";
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
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "%s: expected %s, or a list, not %s", name, wanted, array_other(a, c));
	return err_fail_at(e, ERR_BAD_JSON, at, "%s: expected %s, or a list, not %s%s", name, wanted,
	    excerpt_byte(c, text), json_hint(c));
}

/* Takes one bracket or comma, or a run of numbers. */
static int
array_step(struct json_array *a, struct json_input *in, struct err *e)
{
	const struct json_word *word;
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
	if (element && (word = array_find_word(a, &c, 1)) != NULL)
		return array_word_begin(a, word, 0, at, e);
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

/* Continues a number or a word. */
static int
array_cut(struct json_array *a, struct json_input *in, struct err *e)
{
	return a->state == JSON_ARRAY_NUMBER ? array_gather(a, in, e) : array_word(a, in, e);
}

/* Takes the list as far as it is there. */
static int
array_feed(struct json_array *a, struct json_input *in, struct err *e)
{
	do {
		if (a->state == JSON_ARRAY_NUMBER || a->state == JSON_ARRAY_WORD) {
			if (array_cut(a, in, e) < 0)
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
	const char *text;
	size_t from;
	int result;

	/* The word -Infinity may have been cut as a number. */
	while (in->p < in->end && (a->state == JSON_ARRAY_NUMBER || a->state == JSON_ARRAY_WORD))
		if (array_cut(a, in, e) < 0)
			return -1;
	text = in->p;
	from = a->values.count;
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
