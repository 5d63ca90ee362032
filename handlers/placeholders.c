/* SPDX-License-Identifier: MIT */
#include "handlers/placeholders.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static int
check_name(const char *what, const char *name, struct err *e)
{
	if (name[0] != '\0' && strchr(LETTERS_AND_DIGITS, name[0]) != NULL && strlen(name) <= STORE_NAME_MAX &&
	    name[strspn(name, LETTERS_AND_DIGITS "._-")] == '\0')
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

/* The placeholder that `word`, up to its brace, names. A route's path names no other. */
static const struct placeholder *
find_placeholder(const char *word)
{
	const size_t len = strcspn(word, "}");

	for (size_t i = 0; i < PLACEHOLDERS; i++)
		if (strncmp(placeholders[i].name, word, len) == 0 && placeholders[i].name[len] == '\0')
			return &placeholders[i];
	assert(false);
	return NULL;
}

void
placeholders_take(struct request *rq, const char *path, const char *const *segments)
{
	for (; *path == '/'; path += strcspn(path, "/"), segments++)
		if (*++path == '{')
			memcpy((char *)rq + find_placeholder(path + 1)->member, segments, sizeof(*segments));
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
