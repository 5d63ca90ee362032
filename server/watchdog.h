/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: systemd is told that the daemon is alive only while each of its threads proves it (base/pulse.h). One
 * that has been at one piece of work for half of WatchdogSec counts as hung; the daemon is killed and started again
 * when that has lasted for one and a half of it at most. Without WatchdogSec nothing wakes up for this. For main's
 * thread, which proves its own life by calling it.
 */
#pragma once

#include <stdint.h>

struct server;

/* Begins, once the server serves. */
void watchdog_start(void);

/* When watchdog_look is to be called next, by clock_monotonic_us; UINT64_MAX: never. */
uint64_t watchdog_due_us(void);

/* Looks at all threads, if it is due. The log and `systemctl status` say which hangs, and whether the store works. */
void watchdog_look(const struct server *s);
