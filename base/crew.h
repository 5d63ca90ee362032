/* SPDX-License-Identifier: MIT */
/*
 * Threads that lend a hand: a piece of work in parts that do not wait for one another, done by whoever calls and by
 * those of a crew who have nothing else to do just then. Who the crew is, and how it is told, is its maker's
 * (server/workers.h).
 */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <stddef.h>

/* A piece of work. The caller's, and of interest to nobody once crew_run has returned. */
struct crew_work {
	/* Does part `i`, on whatever thread. It must not call crew_run, nor wait for another part. */
	void (*part)(void *arg, size_t i);
	void *arg;
	size_t count;

	/* The crew's own. */
	size_t begun;   /* parts */
	size_t running; /* of those, the ones that others than the caller do */
	struct crew_work *next;
};

struct crew {
	unsigned threads; /* that there are, whatever they do: into many more parts than these it is no use to cut */
	void (*run)(struct crew *crew, struct crew_work *work);
};

/*
 * Has part(arg, i) called once for each i below `count`, in any order and on any thread, and returns when all have
 * returned. Never waits for a thread to become idle: what nobody else has begun the caller does, without a crew (NULL)
 * all. Takes no memory. Any thread.
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

#endif
