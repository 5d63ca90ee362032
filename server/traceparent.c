/* SPDX-License-Identifier: MIT */
#include "server/traceparent.h"

#include <stdbool.h>
#include <string.h>

/* Where each part begins, and its length. */
static const struct part {
	size_t at, len;
	bool nonzero;
} parts[] = { { 0, 2, false }, { 3, 32, true }, { 36, 16, true }, { 53, 2, false } };

static bool
is_part(const char *text, const struct part *part)
{
	return strspn(text + part->at, "0123456789abcdef") >= part->len &&
	    (!part->nonzero || strspn(text + part->at, "0") < part->len);
}

/* The text has TRACEPARENT_BYTES - 1 bytes at least. More may follow a dash, but in version 00. */
static bool
is_valid(const char *text)
{
	const char end = text[TRACEPARENT_BYTES - 1];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!is_part(text, &parts[i]) || (i > 0 && text[parts[i].at - 1] != '-'))
			return false;
	return memcmp(text, "ff", 2) != 0 && (end == '\0' || (end == '-' && memcmp(text, "00", 2) != 0));
}

void
traceparent_copy(const char *text, size_t count, char out[TRACEPARENT_BYTES])
{
	out[0] = '\0';
	if (count != 1 || strnlen(text, TRACEPARENT_BYTES) < TRACEPARENT_BYTES - 1 || !is_valid(text))
		return;
	memcpy(out, text, TRACEPARENT_BYTES - 1);
	out[TRACEPARENT_BYTES - 1] = '\0';
}
