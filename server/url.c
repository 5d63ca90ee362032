/* SPDX-License-Identifier: MIT */
#include "server/url.h"

#include <string.h>
#include <strings.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decoded copy; `plus` makes '+' a space, as in forms. */
static int
decode(struct arena *a, const char *text, size_t len, bool plus, const char **out, struct err *e)
{
	char *copy = arena_text(a, text, len);
	size_t n = 0;
	int byte;

	if (copy == NULL)
		return err_fail_memory(e);
	for (size_t i = 0; i < len; i++) {
		byte = (unsigned char)text[i];
		if (byte == '%') {
			byte = len - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0 ?
			    0 :
			    hex(text[i + 1]) * 16 + hex(text[i + 2]);
			if (byte == 0)
				return err_fail(e, ERR_BAD_PARAMETER,
				    "the URL holds a %% that two hex digits (not 00) must follow");
			i += 2;
		} else if (byte == '+' && plus) {
			byte = ' ';
		}
		copy[n++] = (char)byte;
	}
	copy[n] = '\0';
	*out = copy;
	return 0;
}

static int
parse_query(struct arena *a, const char *p, struct url *out, struct err *e)
{
	size_t len, name_len;
	struct query_item *item;

	for (; *p != '\0'; p += p[len] == '&' ? len + 1 : len) {
		len = strcspn(p, "&");
		if (len == 0)
			continue;
		if (out->query_count == REQUEST_QUERY_MAX)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "the URL has more than %d query parameters", REQUEST_QUERY_MAX);
		name_len = strcspn(p, "&=");
		item = &out->query[out->query_count++];
		item->value = "";
		if (decode(a, p, name_len, true, &item->name, e) < 0 ||
		    (name_len < len && decode(a, p + name_len + 1, len - name_len - 1, true, &item->value, e) < 0))
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
	const char *p = path, *end = path + strcspn(path, "?");
	size_t len;

	memset(out, 0, sizeof(*out));
	while (p < end) {
		p++; /* the slash */
		len = strcspn(p, "/?");
		if (len == 0 && p == end)
			break;
		if (out->segment_count == URL_SEGMENTS_MAX) {
			out->segment_count++;
			break;
		}
		if (decode(a, p, len, false, &out->segments[out->segment_count++], e) < 0)
			return -1;
		p += len;
	}
	return *end == '?' ? parse_query(a, end + 1, out, e) : 0;
}
