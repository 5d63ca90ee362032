/* SPDX-License-Identifier: MIT */
#include "codec/json_string.h"

#include <string.h>

#include "base/hash.h"
#include "codec/excerpt.h"

void
json_string_begin(struct json_string *g)
{
	*g = (struct json_string){ .hash = HASH_START };
}

static void
string_hash(struct json_string *g, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		g->hash = hash_byte(g->hash, (unsigned char)bytes[i]);
}

static int
string_half_pair(const struct json_string *g, struct err *e)
{
	return err_fail_at(
	    e, ERR_BAD_JSON, g->escape_at, "a string has half of a surrogate pair without the other half");
}

/* Appends a character that came as an escape. */
static void
string_character(struct json_string *g, unsigned code, struct buf *out)
{
	char bytes[4];
	unsigned len = utf8_encode(code, bytes);

	string_hash(g, bytes, len);
	if (g->decoded) {
		buf_add(out, bytes, len);
		return;
	}
	if (code == 0)
		buf_text(out, "\\\\u0000");
	else if (code < 0x20)
		buf_printf(out, "\\u%04x", code);
	else if (code == '"' || code == '\\')
		buf_printf(out, "\\%c", (char)code);
	else
		buf_add(out, bytes, len);
}

/* Four hexadecimal digits have come. */
static int
string_unicode(struct json_string *g, struct buf *out, struct err *e)
{
	unsigned code = g->code;
	bool low_half = code >= 0xdc00 && code <= 0xdfff;

	g->state = JSON_STRING_PLAIN;
	if (low_half != (g->high != 0))
		return string_half_pair(g, e);
	if (code >= 0xd800 && code <= 0xdbff) {
		g->high = code;
		return 0;
	}
	if (low_half)
		code = 0x10000 + ((g->high - 0xd800) << 10) + (code - 0xdc00);
	g->high = 0;
	string_character(g, code, out);
	return 0;
}

static int
string_hex(struct json_string *g, struct json_input *in, struct buf *out, struct err *e)
{
	char c = *in->p, text[EXCERPT_BYTES];
	unsigned digit;

	if (c >= '0' && c <= '9')
		digit = (unsigned)(c - '0');
	else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		digit = (unsigned)((c | 0x20) - 'a') + 10;
	else
		return err_fail_at(e, ERR_BAD_JSON, json_input_at(in, in->p),
		    "expected four hexadecimal digits after \\u, not %s", excerpt_byte(c, text));
	in->p++;
	g->code = g->code << 4 | digit;
	return --g->hex_left == 0 ? string_unicode(g, out, e) : 0;
}

/* The byte after a backslash. */
static int
string_escape(struct json_string *g, struct json_input *in, struct buf *out, struct err *e)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	char c = *in->p, text[EXCERPT_BYTES];
	const char *name;

	if (c == 'u') {
		in->p++;
		g->state = JSON_STRING_HEX;
		g->hex_left = 4;
		g->code = 0;
		return 0;
	}
	if (g->high != 0)
		return string_half_pair(g, e);
	name = memchr(names, c, sizeof(names) - 1);
	if (name == NULL)
		return err_fail_at(e, ERR_BAD_JSON, json_input_at(in, in->p),
		    "a \\ in a string cannot be followed by %s", excerpt_byte(c, text));
	in->p++;
	g->state = JSON_STRING_PLAIN;
	string_character(g, (unsigned)meanings[name - names], out);
	return 0;
}

/* Appends what needs no change, up to a quote, a backslash, the end of the input, or a wrong byte. */
static void
string_run(struct json_string *g, struct json_input *in, struct buf *out)
{
	const char *p = in->p;

	for (; p < in->end; p++) {
		unsigned char c = (unsigned char)*p;

		if (g->utf8.left == 0 && (c < 0x20 || c == '"' || c == '\\'))
			break;
		if (!utf8_next(&g->utf8, c))
			break;
	}
	string_hash(g, in->p, (size_t)(p - in->p));
	buf_add(out, in->p, (size_t)(p - in->p));
	in->p = p;
}

/* Plain characters and the byte after them. Returns 1 after the closing quote. */
static int
string_plain(struct json_string *g, struct json_input *in, struct buf *out, struct err *e)
{
	uint64_t at;
	unsigned char c;

	if (g->high == 0)
		string_run(g, in, out);
	if (in->p == in->end)
		return 0;
	c = (unsigned char)*in->p;
	at = json_input_at(in, in->p);
	if (g->high != 0 && c != '\\')
		return string_half_pair(g, e);
	if (g->utf8.left > 0 || c >= 0x80)
		return err_fail_at(e, ERR_BAD_JSON, at, "byte 0x%02x is not valid UTF-8 here", (unsigned)c);
	if (c < 0x20)
		return err_fail_at(
		    e, ERR_BAD_JSON, at, "the control character 0x%02x must be escaped in a string", (unsigned)c);
	in->p++;
	if (c == '"')
		return 1;
	if (g->high == 0)
		g->escape_at = at;
	g->state = JSON_STRING_ESCAPE;
	return 0;
}

int
json_string_feed(struct json_string *g, struct json_input *in, struct buf *out, struct err *e)
{
	int result = 0;

	while (result == 0 && in->p < in->end) {
		switch (g->state) {
		case JSON_STRING_PLAIN:
			result = string_plain(g, in, out, e);
			break;
		case JSON_STRING_ESCAPE:
			result = string_escape(g, in, out, e);
			break;
		case JSON_STRING_HEX:
			result = string_hex(g, in, out, e);
			break;
		}
	}
	return result;
}
