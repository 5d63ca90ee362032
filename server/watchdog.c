/* SPDX-License-Identifier: MIT */
#include "server/watchdog.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pulse.h"
#include "server/lifecycle.h"
#include "server/notify.h"

/* Parts of WatchdogSec: how often the threads are looked at; after how long one hangs. */
#define LOOKS 4
#define PATIENCE 2

static struct {
	uint64_t within_us; /* WatchdogSec */
	uint64_t due_us;
	const char *stuck; /* the thread that hung at the last look; NULL: none */
} watchdog;

void
watchdog_start(void)
{
	const uint64_t within_us = notify_watchdog_us();

	watchdog.within_us = within_us;
	watchdog.due_us = within_us == 0 ? UINT64_MAX : 0;
	watchdog.stuck = NULL;
}

uint64_t
watchdog_due_us(void)
{
	return watchdog.due_us;
}

/* One line when a thread is found to hang, and one when none does any more. */
static void
say(const char *stuck)
{
	if (stuck != NULL && watchdog.stuck == NULL)
		log_event(LOG_ERROR, "a thread hangs: the watchdog is told nothing until it moves",
		    (const struct log_field[]){ { .name = "thread", .text = stuck } }, 1);
	else if (stuck == NULL && watchdog.stuck != NULL)
		log_event(LOG_WARN, "the thread that hung moves again",
		    (const struct log_field[]){ { .name = "thread", .text = watchdog.stuck } }, 1);
	watchdog.stuck = stuck;
}

void
watchdog_look(const struct server *s)
{
	const uint64_t now_us = clock_monotonic_us();
	const char *stuck;

	if (now_us < watchdog.due_us)
		return;
	watchdog.due_us = now_us + watchdog.within_us / LOOKS;
	stuck = pulse_find_stuck(now_us, watchdog.within_us / PATIENCE);
	if (stuck == NULL)
		notify_alive();
	else
		notify_status("The thread \"%s\" hangs", stuck);
	say(stuck);
	if (stuck == NULL)
		lifecycle_show(s);
}
