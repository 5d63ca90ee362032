/* SPDX-License-Identifier: MIT */
#include "server/url.h"

#include <string.h>
#include <strings.h>

#include "server/octets.h"

/*
 * Takes the part of a text up to one of two delimiters, or its end, and decodes it where it stands; `plus` makes '+' a
 * space, as in forms. *at is then behind the delimiter, which is *delimiter; '\0': the text has ended.
 */
static int
take_part(char **at, const char delimiters[2], bool plus, const char **out, char *delimiter, struct err *e)
{
	char *from = *at, *to = *at;

	*out = to;
	for (; *from != '\0' && *from != delimiters[0] && *from != delimiters[1]; from++) {
		*to = *from == '+' && plus ? ' ' : *from;
		if (*from == '%') {
			if (octets_hex(from[1]) < 0 || octets_hex(from[2]) < 0 || (from[1] == '0' && from[2] == '0'))
				return err_fail(e, ERR_BAD_PARAMETER,
				    "the URL contains a %% that is not followed by two hex digits other than 00");
			*to = (char)(octets_hex(from[1]) * 16 + octets_hex(from[2]));
			from += 2;
		}
		to++;
	}
	*delimiter = *from;
	*to = '\0';
	*at = *delimiter == '\0' ? from : from + 1;
	return 0;
}

int
url_parse_query(const struct url *url, struct query_item out[REQUEST_QUERY_MAX], unsigned *count, struct err *e)
{
	struct query_item *item;
	char *p = url->query, delimiter;

	*count = 0;
	while (p != NULL && *(p += strspn(p, "&")) != '\0') {
		if (*count == REQUEST_QUERY_MAX)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "the URL has more than %d query parameters", REQUEST_QUERY_MAX);
		item = &out[(*count)++];
		item->value = "";
		if (take_part(&p, "&=", true, &item->name, &delimiter, e) < 0 ||
		    (delimiter == '=' && take_part(&p, "&&", true, &item->value, &delimiter, e) < 0))
			return -1;
	}
	return 0;
}

/* The length of "http://" or "https://" where the target begins with it, else 0. */
static size_t
scheme_length(const char *target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

int
url_split(const char *target, struct url_target *out, struct err *e)
{
	size_t len;

	*out = (struct url_target){ .path = target };
	if (*target == '/' || strcmp(target, "*") == 0)
		return 0;
	len = scheme_length(target);
	if (len == 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the request's target is \"%.100s\"; it must begin with / or be an http URL", target);
	out->authority = target + len;
	out->authority_len = strcspn(out->authority, "/?");
	out->path = out->authority + out->authority_len;
	return 0;
}

int
url_parse(struct arena *a, const char *path, struct url *out, struct err *e)
{
	char *p = arena_text(a, path, strlen(path)), delimiter;

	if (p == NULL)
		return err_fail_memory(e);
	out->segment_count = 0;
	delimiter = *p;
	p += delimiter != '\0';
	while (delimiter == '/' && *p != '\0' && *p != '?') {
		if (out->segment_count++ == URL_SEGMENTS_MAX)
			break;
		if (take_part(&p, "/?", false, &out->segments[out->segment_count - 1], &delimiter, e) < 0)
			return -1;
	}
	if (delimiter == '/' && (p = strchr(p, '?')) != NULL) /* behind a slash at the end, or too many segments */
		delimiter = *p++;
	out->query = delimiter == '?' ? p : NULL;
	return 0;
}
