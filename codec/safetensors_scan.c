/* SPDX-License-Identifier: MIT */
/*
 * A state machine over the structure of the JSON. A table says which values may stand in which place, and
 * safetensors_members.c what they mean. Only tokens that the input cuts have state of their own, so it makes no
 * difference where the input is cut.
 */
#include "codec/safetensors_scan.h"

#include <string.h>

#include "codec/excerpt.h"
#include "codec/safetensors_members.h"

/* The first characters of the values that may stand in a place, and the place in words. */
static const struct {
	const char *first;
	const char *expected;
} roles[] = {
	[HEADER_ROOT] = { "{", "'{', with which a header must begin" },
	[HEADER_METADATA] = { "{n", "an object as \"__metadata__\"" },
	[HEADER_TEXT] = { "\"", "a string, because all values of \"__metadata__\" are strings" },
	[HEADER_TENSOR] = { "{", "an object with dtype, shape and data_offsets" },
	[HEADER_DTYPE] = { "\"", "a string as \"dtype\"" },
	[HEADER_SHAPE] = { "[", "a list as \"shape\"" },
	[HEADER_OFFSETS] = { "[", "a list as \"data_offsets\"" },
	[HEADER_EXTENT] = { "0123456789", "a whole number" },
	[HEADER_OFFSET] = { "0123456789", "a whole number" },
	[HEADER_IGNORED] = { "{[\"-0123456789tfn", "a value" },
};

/* What a list or an object is for. */
static const struct header_frame *
header_top(const struct safetensors_header *h)
{
	return &h->frames[h->depth - 1];
}

static const char *
header_expected(const struct safetensors_header *h)
{
	switch (h->state) {
	case HEADER_VALUE:
		return roles[h->role].expected;
	case HEADER_VALUE_OR_END:
		return h->role == HEADER_IGNORED ? "a value or ']'" : "a whole number or ']'";
	case HEADER_KEY:
		return "a key in quotes";
	case HEADER_KEY_OR_END:
		return "a key in quotes or '}'";
	case HEADER_COLON:
		return "':' after the key";
	case HEADER_COMMA:
		return header_top(h)->object ? "',' or '}'" : "',' or ']'";
	default:
		return "only spaces after the object";
	}
}

static int
header_unexpected(const struct safetensors_header *h, char c, struct err *e)
{
	char text[EXCERPT_BYTES];

	return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at, "the header: expected %s, not %s%s", header_expected(h),
	    excerpt_byte(c, text),
	    h->state == HEADER_PADDING && c == '\0' ? "; pad the header with spaces, not with NULs" : "");
}

static void
header_value_end(struct safetensors_header *h)
{
	h->state = h->depth == 0 ? HEADER_PADDING : HEADER_COMMA;
}

/* What the elements of a list are. */
static enum header_role
header_element(enum header_role list)
{
	return list == HEADER_SHAPE ? HEADER_EXTENT : list == HEADER_OFFSETS ? HEADER_OFFSET : HEADER_IGNORED;
}

/* A list or an object opens. */
static int
header_open(struct safetensors_header *h, bool object, struct err *e)
{
	if (h->depth == JSON_DEPTH_MAX)
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at,
		    "the header: lists and objects may be nested at most %d deep", JSON_DEPTH_MAX);
	h->frames[h->depth++] = (struct header_frame){ (unsigned char)h->role, object };
	h->state = object ? HEADER_KEY_OR_END : HEADER_VALUE_OR_END;
	h->role = header_element(h->role);
	return 0;
}

/* The innermost list or object ends. */
static int
header_end_frame(struct safetensors_header *h, struct err *e)
{
	const enum header_role role = (enum header_role)header_top(h)->role;

	h->depth--;
	header_value_end(h);
	return header_close(h, role, e);
}

static void
header_string_begin(struct safetensors_header *h, enum header_state state)
{
	json_string_begin(&h->string);
	h->string.decoded = true;
	h->state = state;
}

/* A value begins with `c`. */
static int
header_value(struct safetensors_header *h, struct json_input *in, char c, struct err *e)
{
	if (c == '\0' || strchr(roles[h->role].first, c) == NULL)
		return header_unexpected(h, c, e);
	if (json_starts_number(c)) {
		h->number = JSON_NUMBER_START;
		h->whole = 0;
		h->state = HEADER_IN_NUMBER;
		return 0;
	}
	in->p++;
	if (c == '{' || c == '[')
		return header_open(h, c == '{', e);
	if (c == '"') {
		header_string_begin(h, HEADER_IN_STRING);
		return 0;
	}
	h->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
	h->state = HEADER_IN_LITERAL;
	return 0;
}

/* After a value: a comma, or the end of the list or object. */
static int
header_comma(struct safetensors_header *h, struct json_input *in, char c, struct err *e)
{
	const struct header_frame *f = header_top(h);

	if (c != ',' && c != (f->object ? '}' : ']'))
		return header_unexpected(h, c, e);
	in->p++;
	if (c != ',')
		return header_end_frame(h, e);
	h->state = f->object ? HEADER_KEY : HEADER_VALUE;
	h->role = header_element((enum header_role)f->role);
	return 0;
}

/* A token begins at in->p. */
static int
header_token(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	const char c = *in->p;
	const bool key = h->state == HEADER_KEY || h->state == HEADER_KEY_OR_END;

	h->token_at = json_input_at(in, in->p);
	h->token_text = h->texts.len;
	if (h->state == HEADER_VALUE || (h->state == HEADER_VALUE_OR_END && c != ']'))
		return header_value(h, in, c, e);
	if (h->state == HEADER_COMMA)
		return header_comma(h, in, c, e);
	if (!(key && c == '"') && !(h->state == HEADER_COLON && c == ':') && h->state != HEADER_VALUE_OR_END &&
	    !(h->state == HEADER_KEY_OR_END && c == '}'))
		return header_unexpected(h, c, e);
	in->p++;
	if (key && c == '"')
		header_string_begin(h, HEADER_IN_KEY);
	else if (h->state == HEADER_COLON)
		h->state = HEADER_VALUE;
	else
		return header_end_frame(h, e);
	return 0;
}

/* Continues a key or a string. */
static int
header_in_text(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	const bool key = h->state == HEADER_IN_KEY;
	const int result = json_string_feed(&h->string, in, &h->texts, e);

	if (h->texts.failed)
		return 0; /* safetensors_header_feed has the error */
	if (result < 0)
		e->code = ERR_BAD_SAFETENSORS;
	if (h->role == HEADER_IGNORED && !key)
		h->texts.len = h->token_text;
	if (result <= 0)
		return result;
	h->state = HEADER_COLON;
	if (key)
		return header_key(h, (enum header_role)header_top(h)->role, e);
	header_value_end(h);
	return header_string(h, e);
}

/* One more byte of a number that must be whole. */
static int
header_digit(struct safetensors_header *h, uint64_t at, char c, struct err *e)
{
	if (h->role == HEADER_IGNORED)
		return 0;
	if (!json_is_digit(c))
		return err_fail_at(e, ERR_BAD_SAFETENSORS, at,
		    "the header: extents and offsets are whole numbers, written with digits alone");
	if (__builtin_mul_overflow(h->whole, 10u, &h->whole) ||
	    __builtin_add_overflow(h->whole, (unsigned)(c - '0'), &h->whole))
		return err_fail_at(e, ERR_BAD_SAFETENSORS, h->token_at, "the header: a number exceeds 64 bits");
	return 0;
}

static int
header_in_number(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	enum json_number next;
	char text[EXCERPT_BYTES];

	while (in->p < in->end && (next = json_number_next(h->number, *in->p)) != JSON_NUMBER_STOP) {
		if (header_digit(h, json_input_at(in, in->p), *in->p, e) < 0)
			return -1;
		h->number = next;
		in->p++;
	}
	if (in->p == in->end)
		return 0;
	if (!json_number_ends(h->number, *in->p))
		return err_fail_at(e, ERR_BAD_SAFETENSORS, json_input_at(in, in->p),
		    "the header: unexpected %s in a number", excerpt_byte(*in->p, text));
	header_value_end(h);
	return h->role == HEADER_IGNORED ? 0 : header_number(h, e);
}

static int
header_in_literal(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	char text[EXCERPT_BYTES];

	for (; *h->literal != '\0' && in->p < in->end; h->literal++, in->p++)
		if (*in->p != *h->literal)
			return err_fail_at(e, ERR_BAD_SAFETENSORS, json_input_at(in, in->p),
			    "the header: expected the rest of true, false or null, not %s", excerpt_byte(*in->p, text));
	if (*h->literal == '\0')
		header_value_end(h);
	return 0;
}

/* Spaces up to the end of the header. */
static int
header_padding(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	while (in->p < in->end && *in->p == ' ')
		in->p++;
	if (in->p == in->end)
		return 0;
	h->token_at = json_input_at(in, in->p);
	return header_unexpected(h, *in->p, e);
}

int
header_scan(struct safetensors_header *h, struct json_input *in, struct err *e)
{
	switch (h->state) {
	case HEADER_IN_KEY:
	case HEADER_IN_STRING:
		return header_in_text(h, in, e);
	case HEADER_IN_NUMBER:
		return header_in_number(h, in, e);
	case HEADER_IN_LITERAL:
		return header_in_literal(h, in, e);
	case HEADER_PADDING:
		return header_padding(h, in, e);
	default:
		/* Nothing may stand before the object. */
		return h->depth == 0 || json_skip_space(in) ? header_token(h, in, e) : 0;
	}
}
