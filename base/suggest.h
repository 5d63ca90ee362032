/* SPDX-License-Identifier: MIT */
/*
 * What a wrong name might have meant, for messages: "epsilon" where "eps" is known. Names are compared without their
 * case and their separators, by the edits that lead from one to the other; words that other libraries use are in a
 * table. Pure functions.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#define SUGGEST_BYTES 96

struct suggest {
	const char *word;  /* what was given */
	const char *best;  /* the nearest name so far, or NULL */
	unsigned distance; /* of `best` */
};

/* Begins with a word, which must outlive the struct, as must the names. */
void suggest_begin(struct suggest *s, const char *word);

/* Considers a name that is known. */
void suggest_try(struct suggest *s, const char *name);

/* The end of a message: `; did you mean "eps"?`, or "" when no name is near. Returns `out`. */
const char *suggest_text(const struct suggest *s, char out[SUGGEST_BYTES]);

/* The same for a NULL-terminated list of names. */
const char *suggest_among(const char *word, const char *const *names, char out[SUGGEST_BYTES]);

#endif
