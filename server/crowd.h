/*
 * How many connections there are, and how many there may be. libmicrohttpd leaves clients beyond its limit in the backlog without an
 * answer; so from a mark well below it on, who comes is told that the server is overloaded, and idle connections must make room.
 *
 * Any thread.
 */
#ifndef SERVER_CROWD_H
#define SERVER_CROWD_H

#include <stdatomic.h>
#include <stdbool.h>

struct crowd {
	unsigned max; /* immutable */
	atomic_uint open;
};

/*
 * As many as the process may have descriptors for beside those that it needs itself with so many event loops, up to a bound; the soft
 * limit is raised to the hard one. Warns when that is fewer than a server should hold.
 */
unsigned crowd_limit(unsigned thread_count);

void crowd_init(struct crowd *c, unsigned max);

/* A connection is opened: false when there are so many that it must be turned away. It counts until crowd_leave in any case. */
bool crowd_enter(struct crowd *c);
void crowd_leave(struct crowd *c);

/* How many connections should be closed so that there is room again; 0 while none must be turned away. */
unsigned crowd_excess(const struct crowd *c);

#endif
