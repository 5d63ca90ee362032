/* SPDX-License-Identifier: MIT */
/*
 * How many connections there are, and how many there may be. libmicrohttpd leaves clients beyond its limit in the
 * backlog without an answer; so from a mark well below it on, who comes is told that the server is overloaded, and idle
 * connections must make room.
 *
 * Any thread.
 */
#ifndef SERVER_CROWD_H
#define SERVER_CROWD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct crowd {
	/* Immutable. */
	unsigned max;

	atomic_uint open;
};

/*
 * Whether the process may have as many files open as it takes to serve at all; the soft limit is raised to the hard
 * one. -1 with `e`, which says how many it takes: with fewer, a few idle connections would keep everybody else waiting
 * for ever.
 */
int crowd_check_descriptors(unsigned thread_count, struct err *e) MUST_CHECK;

/*
 * As many as the process may have descriptors for, beside those that it needs itself with so many event loops, and as
 * `memory` bytes have room for; up to a bound. After crowd_check_descriptors. Warns when it is fewer than a server
 * should hold.
 */
unsigned crowd_limit(unsigned thread_count, size_t memory);

/* How many of them may wait for other clients: the rest are for whoever comes. */
unsigned crowd_waiting_max(unsigned max);

void crowd_init(struct crowd *c, unsigned max);

/*
 * A connection is opened. False when there are so many that it must be turned away; it counts until crowd_leave in any
 * case.
 */
bool crowd_enter(struct crowd *c);
void crowd_leave(struct crowd *c);

/* How many connections should be closed so that there is room again; 0 while none must be turned away. */
unsigned crowd_excess(const struct crowd *c);

#endif
