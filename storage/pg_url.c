/* SPDX-License-Identifier: MIT */
#include "storage/pg_url.h"

#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const schemes[] = { "postgresql://", "postgres://" };

bool
pg_url_is(const char *url)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

/* libpq quotes the whole URL behind what is wrong with it: that is cut off. */
static int
refuse(const char *url, const char *message, struct err *e)
{
	const char *quoted = strstr(message, url);
	const size_t length = quoted != NULL ? (size_t)(quoted - message) : strlen(message);
	int shown = (int)(length < 200 ? length : 200);

	while (shown > 0 && strchr(" :\"\n", message[shown - 1]) != NULL)
		shown--;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "the store is not a valid URL of PostgreSQL: %.*s; it must be postgresql://USER@HOST:PORT/DATABASE, in "
	    "which "
	    "a password's special characters are percent-encoded",
	    shown, message);
}

int
pg_url_check(const char *url, struct err *e)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);
	int result = 0;

	if (options == NULL)
		result = message == NULL ? err_fail_memory(e) : refuse(url, message, e);
	PQconninfoFree(options);
	PQfreemem(message);
	return result;
}

char *
pg_url_options(const char *url, const char *ours)
{
	PQconninfoOption *list = PQconninfoParse(url, NULL);
	const char *theirs = "";
	char *merged = NULL;

	for (const PQconninfoOption *o = list; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
			theirs = o->val;
	if (list != NULL && asprintf(&merged, "%s %s", ours, theirs) < 0)
		merged = NULL;
	PQconninfoFree(list);
	return merged;
}
