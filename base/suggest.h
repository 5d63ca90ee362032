/* SPDX-License-Identifier: MIT */
/* Suggests a known name for an unknown one, by edit distance without case and separators, or from a table of words. */
#pragma once

#include <stdbool.h>

#define SUGGEST_BYTES 96

struct suggest {
	const char *word;  /* the unknown name */
	const char *best;  /* the nearest known name so far, or NULL */
	unsigned distance; /* of `best` */
};

/* Begins with an unknown name. It and the known names must outlive the struct. */
void suggest_begin(struct suggest *s, const char *word);

/* Considers a known name. */
void suggest_try(struct suggest *s, const char *name);

/* Whether the nearest name differs by a few letters; otherwise one is a part of the other. */
bool suggest_is_typing_error(const struct suggest *s);

/* The end of a message: `; did you mean "eps"?`, or "" if no name is near. Returns `out`. */
const char *suggest_text(const struct suggest *s, char out[SUGGEST_BYTES]);

/* The same for a NULL-terminated list of names. */
const char *suggest_among(const char *word, const char *const *names, char out[SUGGEST_BYTES]);
