/* SPDX-License-Identifier: MIT */
/* JSON strings: the one place that quotes. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/*
 * Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 (from a message that was cut within a
 * character, or from a client) become U+FFFD, so that the result is always valid.
 */
void quote_json(struct buf *b, const char *text);

/*
 * Appends `len` bytes of valid UTF-8, which may contain NULs, as a JSON string. Escapes only what JSON demands, as
 * serde_json, JSON.stringify and Python's json.dumps(ensure_ascii=False) do.
 */
void quote_json_text(struct buf *b, const char *text, size_t len);

/* The most bytes that quote_ascii needs for one character: a surrogate pair, two \uXXXX. */
#define QUOTE_ASCII_MAX ((size_t)12)

/*
 * Writes `text` as the inside of a JSON string of printable ASCII alone, everything else escaped, so that a terminal
 * can show it. Stops before a character that `room` bytes might not hold. Returns the bytes written; *taken is how many
 * bytes of the text were written.
 */
size_t quote_ascii(char *out, size_t room, const char *text, size_t *taken);

/* Replaces every byte that is not printable ASCII by '?', in place: for a text from an untrusted file. */
void quote_mask(char *text);
