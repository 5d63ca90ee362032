/* SPDX-License-Identifier: MIT */
#include "server/headers.h"

#include <strings.h>

static const struct {
	const char *text;
	size_t len;
} names[HEADER_COUNT] = {
#define HEADER_NAME(name, text) { text, sizeof(text) - 1 },
	HEADERS(HEADER_NAME)
#undef HEADER_NAME
};

static enum header
find(const char *name, size_t len)
{
	int i = 0;

	/* The first letter, whatever its case, tells most names of one length apart. */
	while (i < HEADER_COUNT &&
	    (names[i].len != len || ((names[i].text[0] ^ name[0]) & ~0x20) != 0 ||
		strncasecmp(names[i].text, name, len) != 0))
		i++;
	return (enum header)i;
}

void
headers_add(struct headers *h, const char *name, size_t name_len, const char *value)
{
	const enum header header = find(name, name_len);

	if (header < HEADER_COUNT && h->count[header]++ == 0)
		h->value[header] = value;
}
