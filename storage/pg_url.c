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

/* Appends `length` bytes. */
static void
append(char *out, size_t size, const char *text, size_t length)
{
	const size_t used = strlen(out);

	snprintf(out + used, size - used, "%.*s", (int)length, text);
}

/* Also of a URL that is written wrongly: what may be a password is between the first ":" and the last "@". */
void
pg_url_show(const char *url, char *out, size_t size)
{
	static const char hidden[] = "***";
	const char *at = strrchr(url, '@'), *from = url + strcspn(url, "/");
	const char *colon = at != NULL && at > from ? memchr(from, ':', (size_t)(at - from)) : NULL, *word;

	*out = '\0';
	if (colon != NULL) {
		append(out, size, url, (size_t)(colon + 1 - url));
		append(out, size, hidden, strlen(hidden));
		url = at;
	}
	while ((word = strstr(url, "password=")) != NULL) {
		word += strlen("password=");
		append(out, size, url, (size_t)(word - url));
		append(out, size, hidden, strlen(hidden));
		url = word + strcspn(word, "&");
	}
	append(out, size, url, strlen(url));
}

/* How much of libpq's message may be shown: not the text that it quotes, unless that is no part of a password. */
static int
shown_length(const char *url, const char *message)
{
	const char *quoted = strchr(message, '"'), *end = quoted != NULL ? strchr(quoted + 1, '"') : NULL;
	char shown[STORE_URL_SHOWN], word[STORE_URL_SHOWN];
	size_t length = strcspn(message, "\n");

	pg_url_show(url, shown, sizeof(shown));
	if (end != NULL)
		snprintf(word, sizeof(word), "%.*s", (int)(end - quoted - 1), quoted + 1);
	if (quoted != NULL && (end == NULL || strstr(shown, word) == NULL || strcmp(shown, word) == 0))
		length = (size_t)(quoted - message);
	while (length > 0 && strchr(" :", message[length - 1]) != NULL)
		length--;
	return (int)(length < 200 ? length : 200);
}

static int
refuse(const char *url, const char *message, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "the store is not a valid URL of PostgreSQL: %.*s; it must be postgresql://USER@HOST:PORT/DATABASE, in "
	    "which a password's special characters are percent-encoded",
	    shown_length(url, message), message);
}

static const char *
option_of(const PQconninfoOption *list, const char *keyword)
{
	for (const PQconninfoOption *o = list; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

/* A password with a special character that is not encoded makes libpq take a part of it for a host or a port. */
static bool
is_misread(const PQconninfoOption *list)
{
	const char *host = option_of(list, "host"), *port = option_of(list, "port");

	return (host != NULL && strchr(host, '@') != NULL) ||
	    (port != NULL && port[strspn(port, "0123456789,")] != '\0');
}

int
pg_url_check(const char *url, struct err *e)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);
	int result = 0;

	if (options == NULL)
		result = message == NULL ? err_fail_memory(e) : refuse(url, message, e);
	else if (is_misread(options))
		result = refuse(url, "its host or its port cannot be one", e);
	PQconninfoFree(options);
	PQfreemem(message);
	return result;
}

static void
tell_home(const char *name, store_file *one, void *arg)
{
	const char *home = getenv("HOME");
	char path[4096];

	if (home != NULL && snprintf(path, sizeof(path), "%s/%s", home, name) < (int)sizeof(path))
		one(arg, path, true);
}

void
pg_url_files(const char *url, store_file *one, void *arg)
{
	static const char *const files[] = { "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "passfile" };
	PQconninfoOption *given = PQconninfoParse(url, NULL), *defaults = PQconndefaults();

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *path = option_of(given, files[i]);

		if (path == NULL)
			path = option_of(defaults, files[i]);
		if (path != NULL && strchr(path, '/') != NULL)
			one(arg, path, false);
	}
	tell_home(".pgpass", one, arg);
	tell_home(".postgresql", one, arg);
	PQconninfoFree(given);
	PQconninfoFree(defaults);
}

char *
pg_url_options(const char *url, const char *ours)
{
	PQconninfoOption *list = PQconninfoParse(url, NULL);
	const char *theirs = option_of(list, "options");
	char *merged = NULL;

	if (list != NULL && asprintf(&merged, "%s %s", ours, theirs != NULL ? theirs : "") < 0)
		merged = NULL;
	PQconninfoFree(list);
	return merged;
}
