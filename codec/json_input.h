/* SPDX-License-Identifier: MIT */
/* The piece of the document that is being fed. Private to codec/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No piece is longer, and no number may be: so the length of a number within one piece need not be checked. */
#define JSON_PIECE_MAX ((size_t)64 * 1024)

struct json_input {
	const char *p; /* the next byte; only this moves */
	const char *start;
	const char *end;
	uint64_t start_at; /* the offset of `start` in the document */
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

/* Moves to the next byte that is not white space. False: there is none. */
static inline bool
json_skip_space(struct json_input *in)
{
	while (in->p < in->end && json_is_space(*in->p))
		in->p++;
	return in->p < in->end;
}
