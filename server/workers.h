/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads for work that takes long. An event loop serves many connections, so one request that occupies it
 * for a millisecond delays all of them. Long steps of a request run here instead, with its connection suspended.
 *
 * The threads run at a lower priority than the event loops: where both want a core, large requests wait. They never
 * block. The queue needs no limit: an exchange has one job at most, and the job's memory is part of the exchange.
 *
 * A thread without a job helps with the parts of other jobs, as a crew (base/crew.h). It takes one part at a time; a
 * job that waits comes before the next part.
 */
#pragma once

#include "base/compiler.h"
#include "base/crew.h"
#include "base/err.h"

struct workers;

/* A job. It belongs to the caller of workers_run; `run` may free it. */
struct workers_job {
	void (*run)(void *arg);
	void *arg;

	/* The pool's own. */
	struct workers_job *next;
};

/* Starts `thread_count` threads. NULL with `e`. */
struct workers *workers_start(unsigned thread_count, struct err *e) MUST_CHECK;

/* Queues `job`; jobs start in order. After workers_stop the caller's thread runs it at once. Any thread. */
void workers_run(struct workers *w, struct workers_job *job);

/* How many jobs wait for a thread. */
size_t workers_waiting(struct workers *w);

/* The threads as a crew, until workers_free. After workers_stop the caller of crew_run does all parts itself. */
struct crew *workers_crew(struct workers *w);

/* Runs all queued jobs and ends the threads. */
void workers_stop(struct workers *w);

/* Stops the pool, if it still runs, and frees it. NULL is fine. */
void workers_free(struct workers *w);
