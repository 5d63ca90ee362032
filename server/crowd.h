/* SPDX-License-Identifier: MIT */
/*
 * How many connections there are, and how many there may be. libmicrohttpd leaves clients beyond its limit in the
 * backlog without an answer. So from a mark well below the limit, new clients are answered overloaded, and idle
 * connections are closed. Any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct crowd {
	unsigned max; /* immutable */
	atomic_uint open;
};

/*
 * Raises the soft limit of open files to the hard one, and fails if that is too low to serve: with fewer, a few idle
 * connections would keep everybody else waiting for ever. `e` names the minimum.
 */
int crowd_check_descriptors(unsigned thread_count, struct err *e) MUST_CHECK;

/*
 * The most connections that the limit of open files (less the files that normd needs itself) allows, up to `fit`, which
 * is what fits in the memory, and up to CONNECTIONS_MAX. Warns when that is few. After crowd_check_descriptors.
 */
unsigned crowd_limit(unsigned thread_count, size_t fit);

/* How many of them may wait for other clients in synchronized steps. */
unsigned crowd_waiting_max(unsigned max);

/* A connection is opened. False: it must be turned away. It counts until crowd_leave in either case. */
bool crowd_enter(struct crowd *c);
void crowd_leave(struct crowd *c);

/* How many connections should be closed so that there is room again; 0 while none must be turned away. */
unsigned crowd_excess(const struct crowd *c);
