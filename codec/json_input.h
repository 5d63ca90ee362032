/* The bytes that are being fed, and where in the document they stand. Private to codec/. */
#ifndef CODEC_JSON_INPUT_H
#define CODEC_JSON_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* No piece is longer than this, and no number may be: so a number that lies in one piece needs no check of its length. */
#define JSON_PIECE_MAX ((size_t)64 * 1024)

struct json_input {
	const char *p; /* the next byte; only this moves */
	const char *start;
	const char *end;
	uint64_t start_at; /* of `start`, from the document's start */
};

static inline uint64_t
json_input_at(const struct json_input *in, const char *p)
{
	return in->start_at + (uint64_t)(p - in->start);
}

static inline bool
json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Moves to the next byte that is not white space. Returns false when there is none left. */
static inline bool
json_skip_space(struct json_input *in)
{
	while (in->p < in->end && json_is_space(*in->p))
		in->p++;
	return in->p < in->end;
}

/* A byte as a message shows it: 'x', or "byte 0x1f". Returns `out`. */
static inline const char *
json_byte_text(char c, char out[16])
{
	if (c > ' ' && c < 0x7f)
		snprintf(out, 16, "'%c'", c);
	else
		snprintf(out, 16, "byte 0x%02x", (unsigned)(unsigned char)c);
	return out;
}

/* A text of the document as a message quotes it, cut (between two characters of UTF-8) when it is long. Returns `out`. */
#define JSON_QUOTE 64
static inline const char *
json_quote(const char *text, size_t len, char out[JSON_QUOTE])
{
	size_t cut = len < JSON_QUOTE ? len : JSON_QUOTE - 4;

	while (cut < len && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	snprintf(out, JSON_QUOTE, "%.*s%s", (int)cut, text, cut < len ? "..." : "");
	return out;
}

#endif
