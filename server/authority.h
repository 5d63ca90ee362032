/* SPDX-License-Identifier: MIT */
/* "host[:port]", as in Host and in an absolute target (RFC 3986, section 3.2). Pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* The text is the caller's. */
struct authority {
	const char *host; /* an IPv6 address with its brackets; "" where there is none */
	size_t host_len;
	unsigned port; /* 0: none is given */
};

/* -1 where the text is not an authority, or names a user. */
int authority_parse(const char *text, size_t len, struct authority *out) MUST_CHECK;

/* Whether both are the same host and port. A port that is not given is `default_port`. */
bool authority_equal(const struct authority *a, const struct authority *b, unsigned default_port);

/* Whether the host always means this machine: localhost, *.localhost (RFC 6761, section 6.3), 127.0.0.0/8 or [::1]. */
bool authority_is_loopback(const struct authority *a);

/* Whether an IPv6 address is this machine's: ::1, or ::ffff:127.0.0.0/104, which is IPv4's. */
bool authority_is_loopback_six(const struct in6_addr *six);

/*
 * Whether a Host is "127.0.0.1" or "localhost", perhaps with a port, as most local clients send it: a cheap first look.
 */
bool authority_is_usual_loopback(const char *host);
