/* SPDX-License-Identifier: MIT */
/*
 * Which web pages may call. A browser sends a page's requests wherever the page says, also to a daemon on the user's
 * machine, and names the page's origin in Origin (RFC 6454; the Fetch standard). Without these checks any page that a
 * developer opens could train or delete: with a form, or with a host name that it resolves to 127.0.0.1.
 */
#pragma once

#include <microhttpd.h>

#include "base/err.h"
#include "server/authority.h"
#include "server/problem.h"

#define ORIGINS_MAX 32

/* scheme://host[:port] */
struct origin {
	const char *scheme;
	size_t scheme_len;
	struct authority authority;
};

/* What the operator allows. Immutable once it is made. */
struct origins {
	bool any;           /* "*" */
	bool loopback_only; /* only loopback names and addresses are served as Host */
	bool https;         /* the daemon's own origin has this scheme */
	bool refuse_none;   /* requests need tokens, which no other page has: the others get no headers, but answers */
	unsigned count;
	struct origin list[ORIGINS_MAX];
};

/* What an answer to another origin's page says. Zeroed: nothing. */
struct origins_grant {
	const char *origin; /* the request's; NULL: it names none, or the daemon's own */
	bool preflight;     /* it only asks what it may send */
};

/*
 * --cors-origin: origins with commas between them, or "*"; the text must live as long. bad_parameter otherwise, with a
 * detail that follows the option's name (value.h).
 */
int origins_parse(const char *text, struct origins *out, struct err *e) MUST_CHECK;

/*
 * Checks a request with this host and this Origin (NULL: none). forbidden where only loopback hosts are served and this
 * is another, or where the origin is neither the host's own nor allowed, unless none is refused.
 */
int origins_check(const struct origins *allowed, const struct authority *host, const char *origin,
    struct origins_grant *grant, struct err *e) MUST_CHECK;

/*
 * Checks a request that a page can make without an Origin, by an image or a link: of such a request the browser says in
 * Sec-Fetch-Site (NULL: nothing) whether the page is another site's (W3C, Fetch Metadata). forbidden where it is, and
 * not all origins are allowed.
 */
int origins_check_site(const struct origins *allowed, const char *origin, const char *site, struct err *e) MUST_CHECK;

/*
 * Adds the headers by which a browser gives the answer to the page; without one that `add` fails to add, it does not.
 * `methods` is for a preflight.
 */
void origins_add_headers(
    const struct origins *allowed, const struct origins_grant *grant, const char *methods, problem_add *add, void *arg);
