/* SPDX-License-Identifier: MIT */
/*
 * How many requests a second somebody may make: a token bucket that holds a second's worth, kept as one number (the
 * generic cell rate algorithm, ITU-T I.371, annex A). So it needs no lock and no timer. Pure.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define RATE_MAX 1000000u

/* Zeroed: nothing was asked yet. Any thread. */
struct rate {
	_Atomic uint64_t due_ns; /* when the requests that were allowed would have come if they had kept the rate */
};

/*
 * Asks for a request at the time `now_ns`, which never goes back by much, at 1 to RATE_MAX a second. 0: it is allowed
 * and counts. Otherwise it is not, and the result says after how many nanoseconds one will be.
 */
uint64_t rate_take(struct rate *r, unsigned per_second, uint64_t now_ns);
