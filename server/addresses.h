/* SPDX-License-Identifier: MIT */
/*
 * How many connections each client address has, for --max-connections-per-address. An IPv6 client has a whole /64 to
 * choose from, so that is one address here. An IPv4 address in IPv6 clothes (RFC 4291, 2.5.5.2; RFC 6052) is that IPv4
 * address.
 *
 * Up to the limit connections are served. As many again are accepted, so that their clients get an answer that says
 * why they are refused. More are closed at once: an answer would have to wait for the request, and so anybody could
 * hold any number of connections.
 *
 * The table has an entry for each address that has a connection, so it is bounded by their number. Any thread.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"

struct address {
	unsigned char bytes[16];
};

/* The address by which a client is counted. False: it has none. */
bool address_of(const struct sockaddr *client, struct address *out);

struct addresses;

/* For `limit` connections an address, of at most `connections_max`. NULL with `e`. */
struct addresses *addresses_new(unsigned limit, unsigned connections_max, struct err *e) MUST_CHECK;
void addresses_free(struct addresses *a);

enum addresses_verdict { ADDRESSES_SERVE, ADDRESSES_REFUSE, ADDRESSES_CLOSE };

/* An address opens a connection. It counts until addresses_leave, unless the verdict is ADDRESSES_CLOSE. */
enum addresses_verdict addresses_enter(struct addresses *a, const struct address *address);
void addresses_leave(struct addresses *a, const struct address *address);
