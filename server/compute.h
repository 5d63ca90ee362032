/* SPDX-License-Identifier: MIT */
/*
 * Threads for work that takes long. An event loop serves many connections: what keeps it for a millisecond keeps them
 * all. So the long steps of a request are done here, with its connection suspended, and the short ones where they are.
 *
 * The threads give way to the event loops: they run at a lower priority, so that where both want a core it is the large
 * requests that wait. They never block. The queue needs no bound of its own: a job is part of what it is for, and an
 * exchange has one at most.
 *
 * A thread that has no job lends a hand: as a crew (base/crew.h) they do parts of a job's work, one part at a time, for
 * a job that waits comes before the next part.
 */
#ifndef SERVER_COMPUTE_H
#define SERVER_COMPUTE_H

#include "base/compiler.h"
#include "base/crew.h"
#include "base/err.h"

struct compute;

/* A job; whoever wants it done owns it, and may free it in `run`. */
struct compute_job {
	void (*run)(void *arg);
	void *arg;

	/* The pool's own. */
	struct compute_job *next;
};

/* Starts `thread_count` threads. NULL with `e`. */
struct compute *compute_start(unsigned thread_count, struct err *e) MUST_CHECK;

/* Has `job` run by one of the threads, first come first served; by the caller itself after compute_stop. Any thread. */
void compute_run(struct compute *c, struct compute_job *job);

/* The threads as a crew, for as long as they are not freed; after compute_stop whoever calls it does all by himself. */
struct crew *compute_crew(struct compute *c);

/* Runs all that waits and ends the threads. */
void compute_stop(struct compute *c);

/* Stops, where compute_stop was not called; nobody may use it any more. NULL is fine. */
void compute_free(struct compute *c);

#endif
