/* SPDX-License-Identifier: MIT */
/* JSON strings: the one place that quotes. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 (a message cut in the middle of a
 * character, a client's percent-encoded rubbish) become U+FFFD, so that the result is always valid.
 */
void quote_json(struct buf *b, const char *text);

/* The most bytes that one character of a text can take in quote_ascii: two \uXXXX, a surrogate pair. */
#define QUOTE_ASCII_MAX ((size_t)12)

/*
 * Writes the inner part of a JSON string of printable ASCII alone, without its quotes: whatever else the text holds is
 * escaped, so that a terminal can be shown it. Stops where `room` bytes may not hold the next character. Returns the
 * bytes written; *taken is how many bytes of the text they stand for. Allocates nothing.
 */
size_t quote_ascii(char *out, size_t room, const char *text, size_t *taken);

/* Replaces every byte that is not printable ASCII by '?', in place: for a text from a file that nobody vouches for. */
void quote_mask(char *text);

#endif
