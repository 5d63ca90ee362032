/* SPDX-License-Identifier: MIT */
#include "server/lifecycle.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/notify.h"
#include "server/signals.h"
#include "server/watchdog.h"

#define SECOND_US ((uint64_t)1000000)

/* How often a draining daemon is asked whether it has drained. */
#define DRAIN_TICK_US ((uint64_t)5000)

/* How often the server is asked for what its operator must know in time. */
#define REMIND_US (3600 * SECOND_US)

/* What closing takes at most: the windows and the log of the database are written to its file. */
#define CLOSING_US (60 * SECOND_US)

void
lifecycle_show(const struct server *s)
{
	if (!store_healthy(s->store))
		notify_status("Not ready: the last write to the store failed");
	else
		notify_status("Serving %s on %s, port %u", s->tls == NULL ? "HTTP" : "HTTPS", s->host, s->port);
}

/* Serves until then. True: a signal means to stop. */
static bool
serve_until(struct server *s, uint64_t until_us)
{
	uint64_t due_us;

	do {
		due_us = watchdog_due_us();
		if (signals_serve(s, due_us < until_us ? due_us : until_us) != 0)
			return true;
		watchdog_look(s);
	} while (clock_monotonic_us() < until_us);
	return false;
}

/* Serves on for a while, so that load balancers notice, or until another signal to stop. */
static void
take_leave(struct server *s, unsigned delay_s)
{
	log_event(LOG_INFO, "not ready any more: stopping after --drain-delay",
	    (const struct log_field[]){ { .name = "delay_s", .number = delay_s } }, 1);
	notify_status("Not ready any more; serving on for %u s (--drain-delay)", delay_s);
	server_leave(s);
	if (signals_serve(s, clock_monotonic_us() + delay_s * SECOND_US) != 0)
		log_printf(LOG_INFO, "the rest of --drain-delay is left out: a second signal came");
}

/* Waits for the running requests, for the timeout, or for another signal to stop. */
static void
drain(struct server *s, unsigned timeout_s)
{
	const uint64_t until_us = clock_monotonic_us() + timeout_s * SECOND_US;

	log_printf(LOG_INFO, "draining");
	notify_status("Finishing %lu running requests", atomic_load(&s->active));
	server_drain(s);
	do {
		if (signals_serve(s, clock_monotonic_us() + DRAIN_TICK_US) != 0) {
			log_printf(LOG_WARN, "stopping without waiting: another signal came");
			return;
		}
	} while (!server_is_drained(s) && clock_monotonic_us() < until_us);
}

unsigned long
lifecycle_run(struct server *s, const struct config *config)
{
	lifecycle_show(s);
	notify_ready();
	watchdog_start();
	while (!serve_until(s, clock_monotonic_us() + REMIND_US))
		server_remind(s);
	notify_stopping((uint64_t)config->drain_delay_s * SECOND_US + config->drain_timeout_s * SECOND_US + CLOSING_US);
	if (config->drain_delay_s > 0)
		take_leave(s, config->drain_delay_s);
	drain(s, config->drain_timeout_s);
	notify_status("Closing the store");
	notify_extend(CLOSING_US);
	return server_stop(s);
}
