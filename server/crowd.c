/* SPDX-License-Identifier: MIT */
#include "server/crowd.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "server/limits.h"

/* With fewer a warning is logged. */
#define CONNECTIONS_WANTED 10000u

/* For the store, the log, and what comes and goes; an event loop has two. */
#define DESCRIPTORS_SPARE ((rlim_t)64)
#define DESCRIPTORS_PER_THREAD ((rlim_t)2)
#define CONNECTIONS_MIN 64u

/* Above HIGH of the limit clients are turned away; idle connections are then closed down to LOW. */
#define HIGH_EIGHTHS 7
#define LOW_EIGHTHS 6

/* Below LOW, so that there is room for others however many wait. */
#define WAITING_EIGHTHS 5
_Static_assert(WAITING_EIGHTHS < LOW_EIGHTHS && LOW_EIGHTHS < HIGH_EIGHTHS, "waiting requests must leave room");

#define RAISE_IT "ulimit -n, by LimitNOFILE= of a systemd unit, or by ulimits: nofile: of a compose file"

static void
warn_few(unsigned connections, const char *reason)
{
	log_event(LOG_WARN, "few connections can be held",
	    (const struct log_field[]){ { .name = "connections", .number = connections },
		{ .name = "wanted", .number = CONNECTIONS_WANTED }, { .name = "reason", .text = reason } },
	    3);
}

/* How many files the process may have open. */
static rlim_t
raise_descriptors(void)
{
	struct rlimit limit = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}

/* How many files are open beside the connections. */
static rlim_t
spare_descriptors(unsigned thread_count)
{
	return DESCRIPTORS_SPARE + DESCRIPTORS_PER_THREAD * thread_count;
}

int
crowd_check_descriptors(unsigned thread_count, struct err *e)
{
	const rlim_t spare = spare_descriptors(thread_count), descriptors = raise_descriptors();

	if (descriptors >= CONNECTIONS_MIN + spare)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "the limit of open files is %llu; with %u event loops normd needs at least %llu, and %llu for %u "
	    "connections: raise it by " RAISE_IT,
	    (unsigned long long)descriptors, thread_count, (unsigned long long)(CONNECTIONS_MIN + spare),
	    (unsigned long long)(CONNECTIONS_WANTED + spare), CONNECTIONS_WANTED);
}

unsigned
crowd_limit(unsigned thread_count, size_t fit)
{
	const rlim_t spare = spare_descriptors(thread_count), descriptors = raise_descriptors();
	unsigned max = CONNECTIONS_MAX;
	char reason[320];

	if (descriptors < CONNECTIONS_MAX + spare)
		max = (unsigned)(descriptors - spare);
	snprintf(reason, sizeof(reason), "the limit of open files is %llu and should be %llu: raise it by " RAISE_IT,
	    (unsigned long long)descriptors, (unsigned long long)(CONNECTIONS_WANTED + spare));
	if (fit < max) {
		max = fit < CONNECTIONS_MIN ? CONNECTIONS_MIN : (unsigned)fit;
		snprintf(reason, sizeof(reason),
		    "the memory for connections, an eighth of --max-memory, is too small for more: raise --max-memory");
	}
	if (max < CONNECTIONS_WANTED)
		warn_few(max, reason);
	return max;
}

static unsigned
mark(unsigned max, unsigned eighths)
{
	return max / 8 * eighths;
}

unsigned
crowd_waiting_max(unsigned max)
{
	return mark(max, WAITING_EIGHTHS);
}

bool
crowd_enter(struct crowd *c)
{
	return atomic_fetch_add(&c->open, 1) < mark(c->max, HIGH_EIGHTHS);
}

void
crowd_leave(struct crowd *c)
{
	atomic_fetch_sub(&c->open, 1);
}

unsigned
crowd_excess(const struct crowd *c)
{
	unsigned open = atomic_load(&c->open);

	return open < mark(c->max, HIGH_EIGHTHS) ? 0 : open - mark(c->max, LOW_EIGHTHS);
}
