/* SPDX-License-Identifier: MIT */
/*
 * A state machine over the document's structure. It writes what it takes into `text`, the envelope that cJSON will
 * parse. Keys, extents and datatypes, which the scanner itself needs, are looked at there when they are complete. So
 * little state outlives a piece of the input, and it makes no difference where the input is cut.
 */
#include "codec/json_tokens.h"

#include "codec/excerpt.h"

static struct scan_frame *
scan_top(struct json_scan *s)
{
	return s->depth > 0 ? &s->frames[s->depth - 1] : NULL;
}

/* The tokens that may come next, in words. */
static const char *
scan_expected(struct json_scan *s)
{
	static const char *const expected[] = {
		[SCAN_VALUE] = "a value",
		[SCAN_VALUE_OR_END] = "a value or ']'",
		[SCAN_KEY] = "a key in quotes",
		[SCAN_KEY_OR_END] = "a key in quotes or '}'",
		[SCAN_COLON] = "':' after the key",
		[SCAN_DONE] = "nothing but white space after the document",
	};

	if (s->state == SCAN_COMMA)
		return scan_top(s)->object ? "',' or '}'" : "',' or ']'";
	return expected[s->state];
}

/* What a message advises about a byte that begins no token. */
static const char *
scan_hint(const struct json_scan *s, char c)
{
	if (s->state == SCAN_COMMA)
		return "";
	if (s->state != SCAN_DONE)
		return json_hint(c);
	return s->slots.list == NULL ? "" : "; binary tensors begin where Inference-Header-Content-Length says";
}

static int
scan_unexpected(struct json_scan *s, char c, struct err *e)
{
	char text[EXCERPT_BYTES];

	if (s->token_at == 0 && c == '\xef')
		return err_fail_at(e, ERR_BAD_JSON, 0, "a JSON document must not begin with a byte order mark");
	return err_fail_at(e, ERR_BAD_JSON, s->token_at, "expected %s, not %s%s", scan_expected(s),
	    excerpt_byte(c, text), scan_hint(s, c));
}

static void
scan_value_end(struct json_scan *s)
{
	s->state = s->depth == 0 ? SCAN_DONE : SCAN_COMMA;
}

/* A list or an object opens. */
static int
scan_open(struct json_scan *s, bool object, struct err *e)
{
	if (s->depth == JSON_DEPTH_MAX)
		return err_fail_at(
		    e, ERR_BAD_JSON, s->token_at, "lists and objects may be nested at most %d deep", JSON_DEPTH_MAX);
	s->frames[s->depth++] = (struct scan_frame){ object, s->place, s->keys.count };
	buf_byte(&s->text, object ? '{' : '[');
	s->state = object ? SCAN_KEY_OR_END : SCAN_VALUE_OR_END;
	return 0;
}

/* The innermost list or object ends. */
static int
scan_close(struct json_scan *s, struct err *e)
{
	const struct scan_frame *f = scan_top(s);

	if (f->object)
		json_keys_close(&s->keys, f->keys_from);
	buf_byte(&s->text, f->object ? '}' : ']');
	s->depth--;
	scan_value_end(s);
	if (f->object && f->place.role == JSON_ROLE_TENSOR)
		return json_slots_object_end(&s->slots, f->place.slot, s->token_at, e);
	if (!f->object && f->place.role == JSON_ROLE_SHAPE)
		return json_slots_shape_end(&s->slots, f->place.slot, s->token_at, e);
	return 0;
}

/* A string begins after its opening quote; its kind is written before its contents (envelope.h). */
static void
scan_string_begin(struct json_scan *s, enum scan_state state)
{
	buf_text(&s->text, state == SCAN_IN_KEY ? "\"" : "\"s");
	json_string_begin(&s->string);
	s->state = state;
}

/* A tensor's list begins. */
static int
scan_tensor_begin(struct json_scan *s, struct err *e)
{
	buf_text(&s->text, "\"t");
	buf_uint(&s->text, s->place.slot);
	buf_byte(&s->text, '"');
	s->state = SCAN_IN_TENSOR;
	return json_slots_data_begin(&s->slots, s->place.slot, &s->array, s->token_at, e);
}

static const char *
scan_literal(char c)
{
	return c == 't' ? "true" : c == 'f' ? "false" : c == 'n' ? "null" : NULL;
}

/* A value begins with `c`. */
static int
scan_value(struct json_scan *s, struct json_input *in, char c, struct err *e)
{
	const struct scan_frame *f = scan_top(s);

	if (f != NULL && !f->object) {
		if (json_slots_element(&s->slots, f->place, &s->place, e) < 0)
			return -1;
	} else if (f == NULL && c == '[')
		s->place = json_slots_root_list(&s->slots, s->place);
	if (!json_starts_number(c) && c != '"' && c != '[' && c != '{' && scan_literal(c) == NULL)
		return scan_unexpected(s, c, e);
	if (json_slots_check(&s->slots, s->place, c, s->token_at, e) < 0)
		return -1;
	s->nodes++;
	if (c == '[' && (s->place.role == JSON_ROLE_DATA || s->place.role == JSON_ROLE_TENSOR))
		return scan_tensor_begin(s, e);
	if (json_starts_number(c)) {
		buf_text(&s->text, "\"n");
		s->number = JSON_NUMBER_START;
		s->state = SCAN_IN_NUMBER;
		return 0;
	}
	in->p++;
	if (c == '[' || c == '{')
		return scan_open(s, c == '{', e);
	if (c == '"') {
		scan_string_begin(s, SCAN_IN_STRING);
		return 0;
	}
	s->literal = scan_literal(c) + 1;
	buf_text(&s->text, scan_literal(c));
	s->state = SCAN_IN_LITERAL;
	return 0;
}

/* After a value: a comma, or the end of the list or object. */
static int
scan_comma(struct json_scan *s, struct json_input *in, char c, struct err *e)
{
	bool object = scan_top(s)->object;

	if (c == (object ? '}' : ']')) {
		in->p++;
		return scan_close(s, e);
	}
	if (c != ',')
		return scan_unexpected(s, c, e);
	in->p++;
	buf_byte(&s->text, ',');
	s->state = object ? SCAN_KEY : SCAN_VALUE;
	return 0;
}

/* A token begins at in->p. */
static int
scan_token(struct json_scan *s, struct json_input *in, struct err *e)
{
	char c = *in->p;

	s->token_at = json_input_at(in, in->p);
	s->token_text = s->text.len;
	if (s->state == SCAN_VALUE || (s->state == SCAN_VALUE_OR_END && c != ']'))
		return scan_value(s, in, c, e);
	if (s->state == SCAN_COMMA)
		return scan_comma(s, in, c, e);
	if ((s->state == SCAN_KEY || s->state == SCAN_KEY_OR_END) && c == '"') {
		in->p++;
		scan_string_begin(s, SCAN_IN_KEY);
		return 0;
	}
	if (s->state == SCAN_COLON && c == ':') {
		in->p++;
		buf_byte(&s->text, ':');
		s->state = SCAN_VALUE;
		return 0;
	}
	if (s->state == SCAN_VALUE_OR_END || (s->state == SCAN_KEY_OR_END && c == '}')) {
		in->p++;
		return scan_close(s, e);
	}
	return scan_unexpected(s, c, e);
}

/* A key has ended. */
static int
scan_key_end(struct json_scan *s, struct err *e)
{
	const struct scan_frame *f = scan_top(s);
	const struct json_key key = { .hash = s->string.hash,
		.at = (uint32_t)(s->token_text + 1),
		.len = (uint32_t)(s->text.len - s->token_text - 1) };

	if (s->text.failed)
		return err_fail_memory(e);
	if (json_keys_add(&s->keys, f->keys_from, &key, s->text.bytes, s->token_at, e) < 0)
		return -1;
	s->place = json_slots_member(&s->slots, f->place, s->text.bytes + key.at, key.len);
	if (s->place.role == JSON_ROLE_PLAIN &&
	    json_slots_check_key(&s->slots, f->place, s->text.bytes + key.at, key.len, s->token_at, e) < 0)
		return -1;
	buf_byte(&s->text, '"');
	s->state = SCAN_COLON;
	return 0;
}

/* A value that is a string or a number has ended: its text is a quote, its kind, and itself. */
static int
scan_text_end(struct json_scan *s, struct err *e)
{
	size_t at = s->token_text + 2, len = s->text.len - at;
	int result = 0;

	if (s->text.failed)
		return err_fail_memory(e);
	if (s->place.role == JSON_ROLE_DATATYPE)
		result = json_slots_datatype(&s->slots, s->place.slot, s->text.bytes + at, len, s->token_at, e);
	else if (s->place.role == JSON_ROLE_EXTENT)
		result = json_slots_extent(&s->slots, s->place.slot, s->text.bytes + at, len, s->token_at, e);
	else if (s->place.role == JSON_ROLE_NAME)
		json_slots_name(&s->slots, s->place.slot, s->text.bytes + at, len);
	buf_byte(&s->text, '"');
	scan_value_end(s);
	return result;
}

static int
scan_number(struct json_scan *s, struct json_input *in, struct err *e)
{
	const char *end = json_number_skip(&s->number, in->p, in->end);
	char text[EXCERPT_BYTES];

	buf_add(&s->text, in->p, (size_t)(end - in->p));
	in->p = end;
	if (end == in->end)
		return 0;
	if (json_number_ends(s->number, *end))
		return scan_text_end(s, e);
	return err_fail_at(
	    e, ERR_BAD_JSON, json_input_at(in, end), "unexpected %s in a number", excerpt_byte(*end, text));
}

static int
scan_literal_rest(struct json_scan *s, struct json_input *in, struct err *e)
{
	char text[EXCERPT_BYTES];

	for (; *s->literal != '\0' && in->p < in->end; s->literal++, in->p++)
		if (*in->p != *s->literal)
			return err_fail_at(e, ERR_BAD_JSON, json_input_at(in, in->p),
			    "expected the rest of true, false or null, not %s", excerpt_byte(*in->p, text));
	if (*s->literal == '\0')
		scan_value_end(s);
	return 0;
}

/* Continues a tensor's list. */
static int
scan_tensor(struct json_scan *s, struct json_input *in, struct err *e)
{
	int result = json_array_feed(&s->array, in, e);

	if (result > 0) {
		json_slots_data_end(&s->slots, s->place.slot, &s->array);
		scan_value_end(s);
	}
	return result;
}

int
json_tokens_step(struct json_scan *s, struct json_input *in, struct err *e)
{
	int result;

	switch (s->state) {
	case SCAN_IN_KEY:
		result = json_string_feed(&s->string, in, &s->text, e);
		return result > 0 ? scan_key_end(s, e) : result;
	case SCAN_IN_STRING:
		result = json_string_feed(&s->string, in, &s->text, e);
		return result > 0 ? scan_text_end(s, e) : result;
	case SCAN_IN_NUMBER:
		return scan_number(s, in, e);
	case SCAN_IN_LITERAL:
		return scan_literal_rest(s, in, e);
	case SCAN_IN_TENSOR:
		return scan_tensor(s, in, e);
	default:
		return json_skip_space(in) ? scan_token(s, in, e) : 0;
	}
}

int
json_tokens_end(struct json_scan *s, struct err *e)
{
	return s->state == SCAN_IN_NUMBER && s->depth == 0 && json_number_complete(s->number) ? scan_text_end(s, e) : 0;
}
