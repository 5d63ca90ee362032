#include "server/crowd.h"

#include <sys/resource.h>

#include "base/log.h"

/* The most that are ever held, whatever the system allows, and what an operator should know of when it is not reached. */
#define CONNECTIONS_MAX 16384u
#define CONNECTIONS_WANTED 10000u

/* For the store, the log, and what comes and goes; an event loop has two. */
#define DESCRIPTORS_SPARE ((rlim_t)64)
#define DESCRIPTORS_PER_THREAD ((rlim_t)2)
#define CONNECTIONS_MIN ((rlim_t)64)

/* Above HIGH of the limit clients are turned away; idle connections are then closed down to LOW. */
#define HIGH_EIGHTHS 7
#define LOW_EIGHTHS 6

static void
warn(unsigned connections, rlim_t descriptors, rlim_t spare)
{
	log_event(LOG_WARN,
	    "few connections can be held: the limit of open files is low; raise it by ulimit -n, by LimitNOFILE= of a systemd "
	    "unit, or by ulimits: nofile of a compose file",
	    (const struct log_field[]){ { .name = "connections", .number = connections },
		{ .name = "wanted", .number = CONNECTIONS_WANTED }, { .name = "open_files", .number = (double)descriptors },
		{ .name = "open_files_wanted", .number = CONNECTIONS_WANTED + (double)spare } },
	    4);
}

unsigned
crowd_limit(unsigned thread_count)
{
	struct rlimit limit = { 0 };
	rlim_t connections = CONNECTIONS_MIN, spare = DESCRIPTORS_SPARE + DESCRIPTORS_PER_THREAD * thread_count;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur > CONNECTIONS_MIN + spare)
		connections = limit.rlim_cur - spare;
	if (connections < CONNECTIONS_WANTED)
		warn((unsigned)connections, limit.rlim_cur, spare);
	return connections < CONNECTIONS_MAX ? (unsigned)connections : CONNECTIONS_MAX;
}

void
crowd_init(struct crowd *c, unsigned max)
{
	c->max = max;
	atomic_init(&c->open, 0);
}

static unsigned
mark(const struct crowd *c, unsigned eighths)
{
	return c->max / 8 * eighths;
}

bool
crowd_enter(struct crowd *c)
{
	return atomic_fetch_add(&c->open, 1) < mark(c, HIGH_EIGHTHS);
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

	return open < mark(c, HIGH_EIGHTHS) ? 0 : open - mark(c, LOW_EIGHTHS);
}
