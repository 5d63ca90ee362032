/* Time: one clock that never jumps, for durations; one for people, for stamps. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds since some fixed moment; never goes back. */
uint64_t clock_monotonic_us(void);

/* Now as RFC 3339 in UTC with milliseconds, "2026-01-31T12:00:00.123Z". */
#define CLOCK_STAMP_BYTES 32
void clock_stamp(char out[CLOCK_STAMP_BYTES]);

#endif
