#include "server/negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool
equals(const char *text, size_t len, const char *wanted)
{
	return strlen(wanted) == len && strncasecmp(text, wanted, len) == 0;
}

/* The length of a media range without its parameters and the space around it; moves *p to its start. */
static size_t
media_range(const char **p)
{
	size_t len;

	*p += strspn(*p, " \t");
	len = strcspn(*p, ";,");
	while (len > 0 && ((*p)[len - 1] == ' ' || (*p)[len - 1] == '\t'))
		len--;
	return len;
}

bool
negotiate_is_json(const char *content_type)
{
	size_t len;

	if (content_type == NULL)
		return true;
	len = media_range(&content_type);
	return len == 0 || equals(content_type, len, "application/json") ||
	    equals(content_type, len, "application/x-www-form-urlencoded") ||
	    (len > 5 && strncasecmp(content_type + len - 5, "+json", 5) == 0);
}

/* Whether the parameters say q=0 (also 0.0, 0.00, 0.000). */
static bool
is_refused(const char *parameters, size_t len)
{
	const char *end = parameters + len;

	for (const char *p = parameters; p < end; p++) {
		if (*p != ';')
			continue;
		p++;
		p += strspn(p, " \t");
		if ((*p | 0x20) == 'q' && p[1] == '=') {
			p += 2;
			return p + strspn(p, "0.") == p + strcspn(p, ";, \t");
		}
		p--;
	}
	return false;
}

/* The most specific range that fits decides. */
bool
negotiate_accepts_json(const char *accept)
{
	static const char *const ranges[] = { "*/*", "application/*", "application/json" };
	int best = -1;
	bool accepted = false;
	size_t len, item;

	if (accept == NULL)
		return true;
	for (const char *p = accept; *p != '\0'; p += item + (p[item] == ',')) {
		item = strcspn(p, ",");
		const char *range = p;

		len = media_range(&range);
		for (int i = 0; i < 3; i++)
			if (equals(range, len, ranges[i]) && i >= best) {
				best = i;
				accepted = !is_refused(range + len, (size_t)(p + item - (range + len)));
			}
	}
	/* An empty header says nothing; a problem+json that a client asks for comes with JSON. */
	return best >= 0 ? accepted : *accept == '\0' || strcasestr(accept, "+json") != NULL;
}
