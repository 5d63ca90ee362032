/* SPDX-License-Identifier: MIT */
#include "handlers/placeholders.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "handlers/routes.h"

static bool
is_letter_or_digit(char c)
{
	const char lower = (char)(c | 0x20);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

int
placeholders_check_name(const char *what, const char *name, struct err *e)
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

int
placeholders_check_alias(const char *what, const char *name, struct err *e)
{
	uint64_t number;

	if (placeholders_check_name(what, name, e) < 0)
		return -1;
	if (!store_name_number(name, &number) && strcmp(name, "previous") != 0)
		return 0;
	return err_fail(
	    e, ERR_BAD_NAME, "\"%s\" cannot be an alias: numbers, \"live\" and \"previous\" are reserved", name);
}

/* A file of the pages: what can be no name of one is a path like any other that there is not. */
static int
check_file(const char *what, const char *name, struct err *e)
{
	if (placeholders_check_name(what, name, e) < 0)
		return err_fail(e, ERR_NO_SUCH_ROUTE, "there is no such page");
	return 0;
}

static const struct placeholder {
	const char *name;                                                /* in a path it stands between braces */
	size_t member;                                                   /* of struct request: a const char * */
	int (*check)(const char *name, const char *text, struct err *e); /* of what stands there */
} placeholders[] = {
	{ "model", offsetof(struct request, model), placeholders_check_name },
	{ "layer", offsetof(struct request, layer), placeholders_check_name },
	{ "source", offsetof(struct request, source), placeholders_check_name },
	{ "version", offsetof(struct request, version), placeholders_check_name },
	{ "alias", offsetof(struct request, alias), placeholders_check_alias },
	{ "folder", offsetof(struct request, web_folder), check_file },
	{ "file", offsetof(struct request, web_file), check_file },
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

/* What the request has in the placeholder's place; NULL: nothing. */
static const char *
get_text(const struct request *rq, const struct placeholder *p)
{
	const char *text;

	memcpy(&text, (const char *)rq + p->member, sizeof(text));
	return text;
}

int
placeholders_check(const struct request *rq, struct err *e)
{
	for (size_t i = 0; i < PLACEHOLDERS; i++) {
		const char *text = get_text(rq, &placeholders[i]);

		if (text != NULL && placeholders[i].check(placeholders[i].name, text, e) < 0)
			return -1;
	}
	return 0;
}

void
placeholders_fill(const struct request *rq, char out[PLACEHOLDERS_PATH_BYTES])
{
	const char *path = rq->route->path;
	size_t len = 0;

	while (*path != '\0') {
		const size_t plain = strcspn(path, "{");

		len += (size_t)snprintf(out + len, PLACEHOLDERS_PATH_BYTES - len, "%.*s%s", (int)plain, path,
		    path[plain] == '{' ? get_text(rq, find_placeholder(path + plain + 1)) : "");
		assert(len < PLACEHOLDERS_PATH_BYTES);
		path += strcspn(path, "}");
		path += *path == '}';
	}
}
