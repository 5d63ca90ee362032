/* SPDX-License-Identifier: MIT */
#include "tests/memory/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 512

static unsigned long latest;

/* NULL stays NULL. */
static const char *
fill(const char *text, char out[ROOM])
{
	const char *at = text != NULL ? strchr(text, '@') : NULL;

	if (at == NULL)
		return text;
	snprintf(out, ROOM, "%.*s%lu%s", (int)(at - text), text, latest, at + 1);
	return out;
}

struct message
numbers_fill(const struct message *m)
{
	static char target[ROOM], body[ROOM];
	struct message filled = *m;

	filled.target = fill(m->target, target);
	if (m->body != NULL && m->body_len < ROOM) {
		filled.body = fill(m->body, body);
		filled.body_len = strlen(filled.body);
	}
	return filled;
}

void
numbers_note(const struct answered *a)
{
	static const char begins[] = "{\"version\":";
	const char *body = a->bytes + a->head_len;

	if (a->complete && a->status == 201 && strncmp(body, begins, strlen(begins)) == 0)
		latest = strtoul(body + strlen(begins), NULL, 10);
}

/* The length of what stands before a number or a time at `text`, or 0. */
static size_t
is_before_one(const char *text, size_t len)
{
	static const char *const before[] = { "\"version\":", "\"from\":", "\"to\":", "\"created\":\"", "\"time\":\"",
		"/versions/", "version ", "Normd-Version: ", "\"next\":\"" };

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (strlen(before[i]) <= len && memcmp(text, before[i], strlen(before[i])) == 0)
			return strlen(before[i]);
	return 0;
}

size_t
numbers_mask_text(char *text, size_t len)
{
	size_t in = 0, out = 0, before;

	while (in < len) {
		before = is_before_one(text + in, len - in);
		memmove(text + out, text + in, before > 0 ? before : 1);
		in += before > 0 ? before : 1;
		out += before > 0 ? before : 1;
		if (before == 0 || in == len || text[in] < '0' || text[in] > '9')
			continue;
		while (in < len && strchr("0123456789-:TZ", text[in]) != NULL && text[in] != '\0')
			in++;
		text[out++] = '#';
	}
	return out;
}

void
numbers_mask(struct answered *a)
{
	const size_t head = numbers_mask_text(a->bytes, a->head_len);
	const size_t body = numbers_mask_text(a->bytes + a->head_len, a->body_len);

	memmove(a->bytes + head, a->bytes + a->head_len, body);
	a->head_len = head;
	a->body_len = body;
	a->bytes[head + body] = '\0';
}
