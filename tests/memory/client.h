/* SPDX-License-Identifier: MIT */
/* A client of HTTP/1.1 that takes no memory: what it sends and receives lies in the caller's arrays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct message {
	const char *method;
	const char *target;
	const char *headers; /* lines that end with CR LF, or NULL */
	const void *body;
	size_t body_len;
};

#define ANSWER_BYTES_MAX ((size_t)4 << 20)

/* What came. Without `complete` the connection was closed within or before the answer. */
struct answered {
	bool complete;
	bool timed_out; /* nothing came for a while, and no end either */
	unsigned status;
	size_t head_len; /* of `bytes`, which begins with it and is NUL-terminated */
	size_t body_len; /* without the framing; it follows the head */
	char bytes[ANSWER_BYTES_MAX + 1];
};

/* A connection to 127.0.0.1, or -1. */
int client_connect(unsigned port);

/* Sends the request; reads the answer to it; both. */
void client_send(int fd, const struct message *m);
void client_read(int fd, const struct message *m, struct answered *out);
void client_ask(int fd, const struct message *m, struct answered *out);

/* The value of a header, which ends at a CR; "\r" when there is none. `name` is of the form "\r\nName: ". */
const char *answered_value(const struct answered *a, const char *name);

/* Whether the head has a line that begins so ("\r\nName"), whatever its case. */
bool answered_has(const struct answered *a, const char *line);
