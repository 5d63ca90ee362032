/* SPDX-License-Identifier: MIT */
#include "base/quote.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The length of the UTF-8 character at `p` (NUL-terminated), or 0 when there is none. */
static size_t
character(const unsigned char *p)
{
	struct utf8 u = { 0 };
	size_t len = 0;

	do
		if (!utf8_next(&u, p[len++]))
			return 0;
	while (u.left > 0);
	return len;
}

/* The letter after the backslash in this byte's escape, or NUL. */
static char
escape_letter(unsigned char c)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = strchr(escaped, c);

	return at == NULL || c == '\0' ? '\0' : letters[at - escaped];
}

/* Appends the escape of a byte. */
static void
quote_byte(struct buf *b, unsigned char c)
{
	const char letter = escape_letter(c);

	if (letter != '\0') {
		buf_byte(b, '\\');
		buf_byte(b, letter);
	} else {
		buf_printf(b, "\\u%04x", c);
	}
}

static bool
is_itself(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void
quote_json(struct buf *b, const char *text)
{
	size_t len;

	buf_byte(b, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p += len) {
		len = character(p);
		if (len == 1 && !is_itself(*p))
			quote_byte(b, *p);
		else if (len > 0)
			buf_add(b, p, len);
		else
			buf_text(b, "\xef\xbf\xbd");
		len = len == 0 ? 1 : len;
	}
	buf_byte(b, '"');
}

void
quote_json_text(struct buf *b, const char *text, size_t len)
{
	const char *const end = text + len, *from = text;

	buf_byte(b, '"');
	for (; text < end; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\') {
			buf_add(b, from, (size_t)(text - from));
			quote_byte(b, (unsigned char)*text);
			from = text + 1;
		}
	buf_add(b, from, (size_t)(end - from));
	buf_byte(b, '"');
}

/* The code point of a character of `len` bytes, as found by `character`. */
static unsigned
code_point(const unsigned char *p, size_t len)
{
	unsigned code = len == 2 ? p[0] & 0x1fu : len == 3 ? p[0] & 0x0fu : len == 4 ? p[0] & 0x07u : p[0];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3fu);
	return code;
}

static size_t
write_unit(char *out, unsigned unit)
{
	static const char digits[] = "0123456789abcdef";
	const char text[6] = { '\\', 'u', digits[unit >> 12], digits[unit >> 8 & 15], digits[unit >> 4 & 15],
		digits[unit & 15] };

	memcpy(out, text, sizeof(text));
	return sizeof(text);
}

/* A character that must be escaped: `len` bytes of UTF-8, or 0 for a byte that is not UTF-8. */
static size_t
write_escape(char *out, const unsigned char *p, size_t len)
{
	const char letter = len == 1 ? escape_letter(*p) : '\0';
	const unsigned code = len == 0 ? 0xfffd : code_point(p, len);

	if (letter != '\0') {
		out[0] = '\\';
		out[1] = letter;
		return 2;
	}
	if (code < 0x10000)
		return write_unit(out, code);
	return write_unit(out, 0xd800 + ((code - 0x10000) >> 10)) + write_unit(out + 6, 0xdc00 + (code & 0x3ff));
}

size_t
quote_ascii(char *out, size_t room, const char *text, size_t *taken)
{
	const unsigned char *const begin = (const unsigned char *)text, *p = begin;
	size_t n = 0, len;

	while (*p != '\0' && room - n >= QUOTE_ASCII_MAX) {
		if (is_itself(*p)) {
			out[n++] = (char)*p++;
			continue;
		}
		len = character(p);
		n += write_escape(out + n, p, len);
		p += len == 0 ? 1 : len;
	}
	*taken = (size_t)(p - begin);
	return n;
}

void
quote_mask(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}
