/* SPDX-License-Identifier: MIT */
#include "server/lifecycle.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/signals.h"

/* How often a draining daemon is asked whether it has drained. */
#define DRAIN_TICK_US ((uint64_t)5000)

/* How often the server is asked for what its operator must know in time. */
#define REMIND_S 3600

static uint64_t
after_s(unsigned seconds)
{
	return clock_monotonic_us() + (uint64_t)seconds * 1000000;
}

/* Serves on for a while, so that load balancers notice, or until another signal to stop. */
static void
take_leave(struct server *s, unsigned delay_s)
{
	log_event(LOG_INFO, "not ready any more: stopping after --drain-delay",
	    (const struct log_field[]){ { .name = "delay_s", .number = delay_s } }, 1);
	server_leave(s);
	if (signals_serve(s, after_s(delay_s)) != 0)
		log_printf(LOG_INFO, "the rest of --drain-delay is left out: a second signal came");
}

/* Waits for the running requests, for the timeout, or for another signal to stop. */
static void
drain(struct server *s, unsigned timeout_s)
{
	const uint64_t until_us = after_s(timeout_s);

	log_printf(LOG_INFO, "draining");
	server_drain(s);
	do {
		if (signals_serve(s, clock_monotonic_us() + DRAIN_TICK_US) != 0) {
			log_printf(LOG_WARN, "stopping without waiting: another signal came");
			return;
		}
	} while (!server_is_drained(s) && clock_monotonic_us() < until_us);
}

void
lifecycle_run(struct server *s, const struct config *config)
{
	while (signals_serve(s, after_s(REMIND_S)) == 0)
		server_remind(s);
	if (config->drain_delay_s > 0)
		take_leave(s, config->drain_delay_s);
	drain(s, config->drain_timeout_s);
}
