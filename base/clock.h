/* SPDX-License-Identifier: MIT */
/* Time: one clock for durations, which never jumps, and one for timestamps. */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Microseconds since some fixed moment. Never goes back. */
uint64_t clock_monotonic_us(void);

/* Sleeps for so long, or less where a signal comes. */
void clock_sleep_us(uint64_t us);

/* That clock's time as pthread_cond_timedwait wants it, for a condition from clock_cond_init. */
struct timespec clock_timespec(uint64_t monotonic_us);
void clock_cond_init(pthread_cond_t *cond);

/* Seconds since 1970, for times that outlive a restart. May jump. */
int64_t clock_realtime_s(void);
int64_t clock_realtime_ms(void); /* in milliseconds */

/* Now as RFC 3339 in UTC with milliseconds, "2026-01-31T12:00:00.123Z". */
#define CLOCK_STAMP_BYTES 32
void clock_stamp(char out[CLOCK_STAMP_BYTES]);

/*
 * A second since 1970 in the same form, without the milliseconds. Seconds before 1970 or after 9999 count as the ends.
 */
void clock_second_stamp(int64_t second, char out[CLOCK_STAMP_BYTES]);
