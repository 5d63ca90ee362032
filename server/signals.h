/* SPDX-License-Identifier: MIT */
/*
 * What each signal does, in one table. Signals are blocked in all threads, and main takes them one at a time, so what a
 * signal does is ordinary code. For main's thread.
 *
 *     SIGTERM, SIGINT   stop
 *     SIGHUP            read again what can change while normd runs (reload.h)
 *     SIGUSR1, SIGUSR2  log more, log less
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct server;

/* Before the first thread starts, which inherits what is blocked. A peer's hang-up becomes an error of write(2). */
void signals_block(void);

/*
 * Does what the signals ask for that have come, and that come until `until_us` (by clock_monotonic_us; UINT64_MAX: for
 * ever). Returns at once when one of them means to stop: its number. 0: the time is over.
 */
int signals_serve(struct server *server, uint64_t until_us);
