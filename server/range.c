/* SPDX-License-Identifier: MIT */
#include "server/range.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/octets.h"

#define BLANKS " \t"

static struct range
cut(uint64_t first, uint64_t bytes)
{
	return (struct range){ .choice = RANGE_PART, .first = first, .bytes = bytes };
}

/* The last `bytes` bytes, or fewer where there are fewer. */
static struct range
cut_end(uint64_t bytes, uint64_t total, struct range whole)
{
	if (bytes == 0)
		return (struct range){ .choice = RANGE_BEYOND };
	if (total == 0)
		return whole; /* no part of nothing can be named */
	bytes = bytes < total ? bytes : total;
	return cut(total - bytes, bytes);
}

/* Reads `bytes=A-B`, `bytes=A-` or `bytes=-N`. Whatever else it is, a server may ignore it, and sends `whole`. */
static struct range
read_range(const char *text, uint64_t total, struct range whole)
{
	static const char unit[] = "bytes=";
	uint64_t first = 0, last = UINT64_MAX;
	bool has_first, has_last;

	if (strncasecmp(text, unit, sizeof(unit) - 1) != 0)
		return whole;
	text += sizeof(unit) - 1;
	has_first = octets_number(&text, &first);
	if (*text++ != '-')
		return whole;
	has_last = octets_number(&text, &last);
	text += strspn(text, BLANKS);
	if (*text != '\0' || (!has_first && !has_last) || (has_first && first > last))
		return whole;
	if (!has_first)
		return cut_end(last, total, whole);
	if (first >= total)
		return (struct range){ .choice = RANGE_BEYOND };
	return cut(first, (last < total ? last + 1 : total) - first);
}

/* Whether a list names the entity tag, or is "*". A weak tag names the strong one too (RFC 9110, section 8.8.3.2). */
static bool
list_names(const char *list, const char *etag)
{
	const size_t len = strlen(etag);

	list += strspn(list, BLANKS);
	if (*list == '*' && list[1 + strspn(list + 1, BLANKS)] == '\0')
		return true;
	while (*(list += strspn(list, BLANKS ",")) != '\0') {
		const char *end;

		list += strncmp(list, "W/", 2) == 0 ? 2 : 0;
		end = *list == '"' ? strchr(list + 1, '"') : NULL;
		if (end == NULL)
			return false;
		if ((size_t)(end + 1 - list) == len && memcmp(list, etag, len) == 0)
			return true;
		list = end + 1;
	}
	return false;
}

/* Whether If-Range, which may be a date as well, is the entity tag. */
static bool
is_etag(const char *if_range, const char *etag)
{
	const char *tag = if_range + strspn(if_range, BLANKS);
	const size_t len = octets_trim(tag, strlen(tag));

	return len == strlen(etag) && memcmp(tag, etag, len) == 0;
}

struct range
range_choose(const struct range_wishes *wishes, const char *etag, uint64_t total)
{
	const struct range whole = { .choice = RANGE_WHOLE, .bytes = total };

	if (wishes->if_none_match != NULL && *etag != '\0' && list_names(wishes->if_none_match, etag))
		return (struct range){ .choice = RANGE_NOT_MODIFIED, .bytes = total };
	if (wishes->range == NULL || (wishes->if_range != NULL && (*etag == '\0' || !is_etag(wishes->if_range, etag))))
		return whole;
	return read_range(wishes->range, total, whole);
}
