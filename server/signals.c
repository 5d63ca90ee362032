/* SPDX-License-Identifier: MIT */
#include "server/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/notify.h"
#include "server/reload.h"
#include "server/server.h"

static void
reload(struct server *server)
{
	const bool serves = atomic_load(&server->phase) == SERVER_SERVES;

	if (serves)
		notify_reloading();
	server_reload(server);
	if (serves)
		notify_ready();
}

/* Levels are in the order of their weight: the log is most verbose at the first. */
static void
log_more(struct server *server)
{
	const enum log_level now = log_level();

	(void)server;
	log_set_level(now > LOG_DEBUG ? now - 1 : LOG_DEBUG, "SIGUSR1");
}

static void
log_less(struct server *server)
{
	const enum log_level now = log_level();

	(void)server;
	log_set_level(now < LOG_ERROR ? now + 1 : LOG_ERROR, "SIGUSR2");
}

static const struct {
	int number;
	void (*act)(struct server *server); /* NULL: stop */
} table[] = {
	{ SIGTERM, NULL },
	{ SIGINT, NULL },
	{ SIGHUP, reload },
	{ SIGUSR1, log_more },
	{ SIGUSR2, log_less },
};

#define COUNT (sizeof(table) / sizeof(table[0]))

static void
fill(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT; i++)
		sigaddset(set, table[i].number);
}

void
signals_block(void)
{
	sigset_t set;

	fill(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The next signal; 0 where none has come by then. */
static int
take(uint64_t until_us)
{
	sigset_t set;
	struct timespec left;
	uint64_t now_us;
	int number;

	fill(&set);
	do {
		now_us = clock_monotonic_us();
		left = clock_timespec(until_us > now_us ? until_us - now_us : 0);
		number = sigtimedwait(&set, NULL, until_us == UINT64_MAX ? NULL : &left);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? 0 : number;
}

int
signals_serve(struct server *server, uint64_t until_us)
{
	int number;

	while ((number = take(until_us)) != 0)
		for (size_t i = 0; i < COUNT; i++) {
			if (table[i].number != number)
				continue;
			if (table[i].act == NULL)
				return number;
			table[i].act(server);
		}
	return 0;
}
