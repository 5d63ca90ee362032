/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/load.h"

/* Every so many acknowledged updates with a key are sent once more, and must be answered as at first. */
#define REPEAT_EVERY 8

static const struct role roles[] = {
	{ .name = "keyed", .keyed = true },
	{ .name = "plain" },
	{ .name = "infer", .infers = true },
	{ .name = "pieces", .in_pieces = true },
	{ .name = "keyed-pieces", .keyed = true, .in_pieces = true },
	{ .name = "brief", .brief = true },
	{ .name = "brief-infer", .brief = true, .infers = true },
	{ .name = "vanish", .vanishes = true },
};

const struct role *
role_find(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

/* Of the client and its update's number alone, so that a request that is sent again is the same. */
uint64_t
request_value(const struct client *c)
{
	return 1 + (c->number * 7919 + c->index * UINT64_C(104729)) % 1000;
}

static size_t
make_train(const struct client *c, char *out, size_t size)
{
	uint64_t value = request_value(c);
	size_t len = (size_t)snprintf(out, size, "{\"data\":[");

	for (unsigned i = 0; i < c->load->rows; i++)
		len += (size_t)snprintf(
		    out + len, size - len, "%s[%" PRIu64 ",-%" PRIu64 "]", i == 0 ? "" : ",", value, value);
	return len + (size_t)snprintf(out + len, size - len, "]}");
}

static size_t
make_merge(const struct client *c, char *out, size_t size)
{
	uint64_t value = request_value(c);

	return (size_t)snprintf(
	    out, size, "{\"count\":%u,\"mean\":[%" PRIu64 ",-%" PRIu64 "],\"var\":[0,0]}", c->load->rows, value, value);
}

void
request_make(struct client *c)
{
	const struct role *role = c->group->role;
	bool merge = role->keyed && c->number % 2 == 1;
	const char *path = merge ? "statistics/merge" : role->infers ? "infer" : "train";
	char body[REQUEST_MAX / 2], key[128] = "";
	size_t len = merge ? make_merge(c, body, sizeof(body)) : make_train(c, body, sizeof(body));

	if (role->keyed)
		snprintf(
		    key, sizeof(key), "Idempotency-Key: \"%s-%u-%" PRIu64 "\"\r\n", c->load->name, c->index, c->number);
	c->request_len = (size_t)snprintf(c->request, REQUEST_MAX,
	    "POST /v1/models/load/layers/%s-%u/%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s",
	    role->name, c->layer, path, key, len, body);
	c->sent = 0;
}

/* The head's end, or NULL while it is not there. */
static const char *
body_of(const struct client *c)
{
	const char *end = memmem(c->answer, c->answer_len, "\r\n\r\n", 4);

	return end == NULL ? NULL : end + 4;
}

long
answer_missing(const struct client *c)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *body = body_of(c), *length;

	if (body == NULL)
		return c->answer_len < ANSWER_MAX ? 1 : -1;
	length = memmem(c->answer, (size_t)(body - c->answer), name, sizeof(name) - 1);
	if (length == NULL || strncmp(c->answer, "HTTP/1.1 ", 9) != 0)
		return -1;
	return strtol(length + sizeof(name) - 1, NULL, 10) - (c->answer + c->answer_len - body);
}

static void
acknowledge(struct client *c)
{
	c->tally->acknowledged++;
	c->tally->sum += request_value(c) * c->load->rows;
}

/* 200: an update is acknowledged; one with a key may be sent once more, to hear whether the answer is the same. */
static void
judge_ok(struct client *c)
{
	const char *body = body_of(c);
	size_t len = (size_t)(c->answer + c->answer_len - body);

	if (c->repeating) {
		c->group->counts.repeated++;
		if (len != c->first_len || memcmp(body, c->first, len) != 0)
			c->group->counts.differing++;
		c->repeating = c->pending = false;
		return;
	}
	c->group->counts.ok++;
	if (!c->group->role->infers)
		acknowledge(c);
	c->repeating = c->group->role->keyed && c->number % REPEAT_EVERY == 0;
	c->pending = c->repeating;
	if (!c->repeating)
		return;
	memcpy(c->first, body, len);
	c->first_len = len;
}

bool
answer_judge(struct client *c, uint64_t now_us)
{
	struct counts *counts = &c->group->counts;
	const char *body = body_of(c);
	bool close = memmem(c->answer, (size_t)(body - c->answer), "\r\nConnection: close", 19) != NULL;

	if (now_us - c->sent_us > counts->slowest_us)
		counts->slowest_us = now_us - c->sent_us;
	c->answers++;
	if (strncmp(c->answer + 9, "200", 3) == 0)
		judge_ok(c);
	else if (strncmp(c->answer + 9, "409", 3) == 0 && strstr(body, "\"idempotency_in_flight\"") != NULL)
		counts->in_flight++;
	else if (strncmp(c->answer + 9, "503", 3) == 0 && strstr(body, "\"shutting_down\"") != NULL)
		counts->shutting_down++;
	else if (counts->unexpected++ == 0)
		fprintf(stderr, "load: %s-%u was answered: %.*s\n", c->group->role->name, c->index, (int)c->answer_len,
		    c->answer);
	if (!c->group->role->keyed)
		c->pending = false; /* whatever it was told, it asks for something else next */
	return !close;
}

void
request_lost(struct client *c)
{
	struct counts *counts = &c->group->counts;
	bool wholly = c->state == CLIENT_WAITING;

	if (!wholly)
		counts->cut++;
	else if (c->hang_up_us != 0)
		counts->hung_up++;
	else if (c->answers > 0)
		counts->dropped++;
	else
		counts->dropped_first++;
	if (c->group->role->keyed)
		return; /* it stays pending, and is sent again */
	if (wholly && !c->group->role->infers)
		c->tally->unknown++;
	c->pending = false;
}
