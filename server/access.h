/* SPDX-License-Identifier: MIT */
/*
 * Who makes a request, and whether that is enough for its route: decided by the head alone, before a byte of the body
 * is read. The tokens can be read again while requests run. A request keeps the rights that it began with.
 *
 * A connection remembers the token that it showed last. As long as the tokens are not read again and it shows the same
 * one, nothing is hashed, and no lock is taken.
 */
#pragma once

#include <stddef.h>

#include "handlers/caller.h"

struct access_table;
struct headers;
struct request;
struct token;

/* The longest token that a connection remembers; longer ones are looked up each time. */
#define ACCESS_TEXT_MAX 64

/* What a connection remembers; zeroed: nothing. The event loop's. */
struct access_seen {
	struct token *token; /* a reference, or NULL */
	unsigned generation; /* of the tokens when it was looked up */
	size_t len;          /* of `text`; 0: it is too long */
	char text[ACCESS_TEXT_MAX];
};

void access_seen_fini(struct access_seen *seen);

struct access_options {
	const char *path;  /* of the file of tokens; kept */
	bool open_metrics; /* what may be open to everybody is */
};

/* Reads the file of tokens. NULL with `e`. */
struct access_table *access_new(const struct access_options *options, struct err *e) MUST_CHECK;
void access_free(struct access_table *a);

/* Reads the file again, and puts its tokens into use. -1 with `e`: the tokens before stay in use. One thread. */
int access_reload(struct access_table *a, struct err *e) MUST_CHECK;

/*
 * The caller that the head's Authorization shows, valid until the connection shows another or ends; caller_nobody where
 * it shows none, or one that is not known. `a` NULL: without tokens, caller_anyone.
 */
const struct caller *access_identify(struct access_table *a, struct access_seen *seen, const struct headers *headers);

/*
 * Counts a request of the token that access_identify has found, and checks that it does not make more than `per_second`
 * (0: there is no limit): too_many_requests. Calls that are open to everybody do not count.
 */
int
access_check_rate(struct access_seen *seen, const struct request *rq, unsigned per_second, struct err *e) MUST_CHECK;

/*
 * Checks rq->caller. `result` is that of finding the route, with the error in `e`; it is returned, unless access is
 * refused: unauthenticated or forbidden. Somebody without a token does not learn which routes there are.
 */
int access_check(const struct access_table *a, const struct request *rq, int result, struct err *e) MUST_CHECK;

/* Whether it was one of these checks that refused. */
bool access_refused(const struct err *e);
