/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "handlers/routes.h"

#define WORD_MAX 32

/* The next word of a route's path, up to '/' or the end. Returns false when there is none. */
static bool
next_word(const char **path, char word[WORD_MAX])
{
	size_t len;

	if (**path != '/')
		return false;
	len = strcspn(++*path, "/");
	snprintf(word, WORD_MAX, "%.*s", (int)len, *path);
	*path += len;
	return true;
}

/* Whether the segments differ from the path in one word alone: *at is its place, `word` is the word of the path. */
static bool
differs_once(const char *path, const char *const *segments, size_t count, size_t *at, char word[WORD_MAX])
{
	char here[WORD_MAX];
	size_t i, differing = 0;

	for (i = 0; next_word(&path, here); i++) {
		if (i == count)
			return false;
		if (here[0] == '{' || strcmp(here, segments[i]) == 0)
			continue;
		differing++;
		*at = i;
		memcpy(word, here, sizeof(here));
	}
	return i == count && differing == 1;
}

/* Whether some route begins as the segments do, up to the one at `at`: then that one is not misspelt. */
static bool
begins_route(const char *const *segments, size_t at)
{
	char here[WORD_MAX];
	const char *path;
	size_t i, k;

	for (i = 0; i < routes_count; i++) {
		path = routes[i].path;
		for (k = 0; k <= at && next_word(&path, here); k++)
			if (here[0] != '{' && strcmp(here, segments[k]) != 0)
				break;
		if (k > at)
			return true;
	}
	return false;
}

const char *
routes_near(const char *const *segments, size_t count, char out[SUGGEST_BYTES])
{
	char word[WORD_MAX], best[WORD_MAX];
	struct suggest s;
	size_t at = 0;

	suggest_begin(&s, "");
	for (size_t i = 0; i < routes_count; i++) {
		if (!differs_once(routes[i].path, segments, count, &at, word) || begins_route(segments, at))
			continue;
		s.word = segments[at];
		suggest_try(&s, word);
		if (s.best != word)
			continue;
		memcpy(best, word, sizeof(best));
		s.best = best;
	}
	return suggest_text(&s, out);
}
