/* SPDX-License-Identifier: MIT */
#include "tests/memory/fault.h"

#include <stdatomic.h>

/* `at` is 0 while nothing is to fail. The rest is written only then. */
static atomic_ulong at, seen;
static atomic_bool armed, http_too, from_then_on, struck_http;

void
fault_arm(unsigned long n, enum fault_mode mode, enum fault_scope scope)
{
	atomic_store(&seen, 0);
	atomic_store(&struck_http, false);
	atomic_store(&from_then_on, mode == FAULT_FROM_THEN_ON);
	atomic_store(&http_too, scope == FAULT_HTTP_TOO);
	atomic_store(&at, n);
	atomic_store(&armed, true);
}

unsigned long
fault_disarm(void)
{
	atomic_store(&armed, false);
	return atomic_load(&seen);
}

bool
fault_struck_http(void)
{
	return atomic_load(&struck_http);
}

bool
fault_strikes(bool http)
{
	unsigned long n, failing;
	bool strikes;

	if (!atomic_load(&armed) || (http && !atomic_load(&http_too)))
		return false;
	n = atomic_fetch_add(&seen, 1) + 1;
	failing = atomic_load(&at);
	strikes = failing != 0 && (n == failing || (n > failing && atomic_load(&from_then_on)));
	if (strikes && http)
		atomic_store(&struck_http, true);
	return strikes;
}
