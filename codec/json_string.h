/* SPDX-License-Identifier: MIT */
/* The inside of a JSON string, fed in any pieces. Private to codec/. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "codec/json_input.h"
#include "base/utf8.h"

struct json_string {
	struct utf8 utf8;
	enum { JSON_STRING_PLAIN, JSON_STRING_ESCAPE, JSON_STRING_HEX } state;
	unsigned hex_left; /* digits of \uXXXX that must still come */
	unsigned code;     /* the digits that came */
	unsigned high;     /* the first half of a surrogate pair, if the second must come; else 0 */
	uint64_t escape_at;
	uint64_t hash; /* of the decoded bytes */
	bool decoded;  /* the contents are wanted without escapes; set after json_string_begin */
};

/* Begins after the opening quote. */
void json_string_begin(struct json_string *g);

/*
 * Takes bytes up to and with the closing quote, and appends the contents to `out` in one spelling: equal strings become
 * equal text, however they were escaped. U+0000, which would end a C string, becomes the six characters \u0000 (with
 * the backslash escaped). With `decoded`, the characters themselves are appended, U+0000 too. Returns 1 when the string
 * has ended, 0 when the input has ended, or -1 (bad_json).
 */
int json_string_feed(struct json_string *g, struct json_input *in, struct buf *out, struct err *e) MUST_CHECK;
