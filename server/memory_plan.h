/* Who may have how much of the memory (--max-memory). */
#ifndef SERVER_MEMORY_PLAN_H
#define SERVER_MEMORY_PLAN_H

#include <stddef.h>

#include "base/err.h"

struct memory_plan {
	size_t total;    /* what the whole process is to stay within */
	size_t cache;    /* of that, committed state kept for reading */
	size_t requests; /* bodies, answers and what they are computed with, of all requests together */
};

/*
 * Shares out `asked` bytes (0: half of the `available` ones) for this many event loops and as many computing threads. The requests' part must hold at least one
 * body of `body_max` bytes: bad_parameter, which names the least that will do, where what was asked for does not; where nothing was
 * asked for, that least is taken, be it more than half.
 */
int memory_plan_make(
    size_t asked, size_t available, size_t body_max, unsigned threads, struct memory_plan *out, struct err *e) MUST_CHECK;

#endif
