/* SPDX-License-Identifier: MIT */
#include "handlers/placeholders.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static bool
is_letter_or_digit(char c)
{
	const char lower = (char)(c | 0x20);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

static int
check_name(const char *what, const char *name, struct err *e)
{
	size_t n = 0;

	while (is_letter_or_digit(name[n]) || (n > 0 && (name[n] == '.' || name[n] == '_' || name[n] == '-')))
		n++;
	if (n > 0 && n <= STORE_NAME_MAX && name[n] == '\0')
		return 0;
	return err_fail(e, ERR_BAD_NAME,
	    "\"%.140s\" is not a valid %s name: a name has 1 to %d of A-Z a-z 0-9 . _ - and begins with a letter or a "
	    "digit",
	    name, what, STORE_NAME_MAX);
}

static const struct placeholder {
	const char *name;                                                /* in a path it stands between braces */
	size_t member;                                                   /* of struct request: a const char * */
	int (*check)(const char *name, const char *text, struct err *e); /* of what stands there */
} placeholders[] = {
	{ "model", offsetof(struct request, model), check_name },
	{ "layer", offsetof(struct request, layer), check_name },
};

#define PLACEHOLDERS (sizeof(placeholders) / sizeof(placeholders[0]))

/* Whether `word`, up to its brace, is the name. */
static bool
is_named(const char *word, const char *name)
{
	while (*word == *name) {
		word++;
		name++;
	}
	return *word == '}' && *name == '\0';
}

/* The placeholder that `word` names. A route's path names no other. */
static const struct placeholder *
find_placeholder(const char *word)
{
	for (size_t i = 0; i < PLACEHOLDERS; i++)
		if (is_named(word, placeholders[i].name))
			return &placeholders[i];
	assert(false);
	return NULL;
}

void
placeholders_take(struct request *rq, const char *path, const char *const *segments)
{
	while (*path != '\0') {
		if (*path++ != '/')
			continue;
		if (*path == '{')
			memcpy((char *)rq + find_placeholder(path + 1)->member, segments, sizeof(*segments));
		segments++;
	}
}

int
placeholders_check(const struct request *rq, struct err *e)
{
	const char *text;

	for (size_t i = 0; i < PLACEHOLDERS; i++) {
		memcpy(&text, (const char *)rq + placeholders[i].member, sizeof(text));
		if (text != NULL && placeholders[i].check(placeholders[i].name, text, e) < 0)
			return -1;
	}
	return 0;
}
