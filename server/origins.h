/* SPDX-License-Identifier: MIT */
/*
 * Which web pages may call. A browser sends a page's request wherever the page says, also to a daemon on the user's own
 * machine, and says in Origin whose page it is (RFC 6454; the Fetch standard). Without this, any page that a developer
 * opens could train or delete, by a form, or by a name of its own that it has made to lead to 127.0.0.1.
 */
#ifndef SERVER_ORIGINS_H
#define SERVER_ORIGINS_H

#include <microhttpd.h>

#include "base/err.h"
#include "server/authority.h"

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
	bool loopback_only; /* no Host but this machine's names is served */
	unsigned count;
	struct origin list[ORIGINS_MAX];
};

/* What an answer says of it, where the request is another page's that may call. Zeroed: nothing. */
struct origins_grant {
	const char *origin; /* the request's; NULL: it names none, or the daemon's own */
	bool preflight;     /* it only asks what it may send */
};

/* --cors-origin: origins with commas between them, or "*"; the text must live as long. bad_parameter otherwise. */
int origins_parse(const char *text, struct origins *out, struct err *e) MUST_CHECK;

/*
 * Whether a request with this Host (NULL: none, as HTTP/1.0 has it) and this Origin (NULL: none) may be served.
 * bad_parameter where the host is none; forbidden where it is another's than this machine, or the origin is neither the
 * host's own nor allowed.
 */
int origins_check(const struct origins *allowed, const struct authority *host, const char *origin,
    struct origins_grant *grant, struct err *e) MUST_CHECK;

/*
 * Adds what a browser needs to hand the answer to the page, where there is memory for it. `methods` are the route's,
 * for a preflight.
 */
void origins_add_headers(const struct origins *allowed, const struct origins_grant *grant, const char *methods,
    struct MHD_Response *response);

#endif
