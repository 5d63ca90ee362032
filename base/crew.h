/* SPDX-License-Identifier: MIT */
/* Work in parts that do not wait for one another, done by the caller and a crew's idle threads (server/workers.h). */
#pragma once

#include <stddef.h>

/* A piece of work. It ends when crew_run returns. */
struct crew_work {
	/* Does part `i`, on any thread. It must not call crew_run, nor wait for another part. */
	void (*part)(void *arg, size_t i);
	void *arg;
	size_t count;

	/* The crew's own. */
	size_t begun;   /* parts */
	size_t running; /* by other threads than the caller */
	struct crew_work *next;
};

struct crew {
	unsigned threads; /* busy and idle; many more parts than threads are of no use */
	void (*run)(struct crew *crew, struct crew_work *work);
};

/*
 * Calls part(arg, i) once for each i below `count`, in any order and on any thread, and returns when all are done. It
 * never waits for a thread to become idle: the caller does the parts that no other thread has begun, without a crew
 * (NULL) all of them. Allocates nothing.
 */
static inline void
crew_run(struct crew *crew, size_t count, void (*part)(void *arg, size_t i), void *arg)
{
	struct crew_work work = { .part = part, .arg = arg, .count = count };

	if (crew != NULL) {
		crew->run(crew, &work);
		return;
	}
	for (size_t i = 0; i < count; i++)
		part(arg, i);
}
