/* SPDX-License-Identifier: MIT */
/* Who may have how much of the memory (--max-memory). */
#ifndef SERVER_MEMORY_PLAN_H
#define SERVER_MEMORY_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What is asked for, and what there is. */
struct memory_wishes {
	size_t total;     /* --max-memory; 0: half of what there is */
	size_t available; /* of the machine, or of the process's control group */
	size_t body_max;  /* --max-body */
	bool body_fixed;  /* it was given, so it is not to be lowered */
	unsigned threads; /* event loops; there are as many computing threads */
};

struct memory_plan {
	size_t total;         /* what the whole process is to stay within */
	size_t cache;         /* of that, committed state kept for reading */
	size_t connections;   /* what connections cost without what they ask for */
	size_t requests;      /* bodies, answers and what they are computed with, of all requests together */
	unsigned threads;     /* event loops and computing threads */
	size_t kept;          /* the largest block that the allocator keeps for each of them, */
	size_t kept_together; /* and the most that it keeps for each */
	size_t body_max;      /* the largest body */
	bool body_lowered;    /* it is less than was wished */
	size_t available;
};

/*
 * Shares out the memory. The requests' part holds at least one body. Where the total was asked for and is too small,
 * and where there is not enough for any plan: bad_parameter, which names the least that will do. Where no total was
 * asked for and half of what there is does not do, three quarters may be taken; where that does not do either, the
 * largest body is lowered, unless it was given.
 */
int memory_plan_make(const struct memory_wishes *wishes, struct memory_plan *out, struct err *e) MUST_CHECK;

#endif
