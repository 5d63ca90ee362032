/* SPDX-License-Identifier: MIT */
/* How --max-memory is divided. For main's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What is asked for, and how much memory there is. */
struct memory_wishes {
	size_t total;     /* --max-memory; 0: half of what there is */
	size_t available; /* of the machine, or of the process's control group */
	size_t body_max;  /* --max-body */
	bool body_fixed;  /* --max-body was given, so it must not be lowered */
	unsigned threads; /* event loops; there are as many computing threads */
	bool tls;         /* connections need more memory */
};

struct memory_plan {
	size_t total;         /* the limit of the whole process */
	size_t cache;         /* of that, committed state kept for reading */
	size_t sources;       /* of the cache, the most that the totals of sources may take */
	size_t connections;   /* the fixed cost of connections, */
	size_t connection;    /* and of one of them */
	size_t requests;      /* bodies, answers and work memory of all requests together */
	unsigned threads;     /* event loops and computing threads */
	size_t kept;          /* the largest block that the allocator keeps for each of them, */
	size_t kept_together; /* and the most that it keeps for each */
	size_t body_max;      /* the largest body */
	bool body_lowered;    /* body_max is less than was asked for */
	size_t available;
};

/*
 * Divides `total` bytes so that the requests' part holds at least one body. If `total` is 0, half of the available
 * memory is used, or up to three quarters if half is too little; then the largest body is lowered, unless it was given.
 * bad_parameter names the minimum if the memory is too small.
 */
int memory_plan_make(const struct memory_wishes *wishes, struct memory_plan *out, struct err *e) MUST_CHECK;
