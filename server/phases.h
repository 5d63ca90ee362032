/* SPDX-License-Identifier: MIT */
/*
 * Where the time of a request goes. A request is in one phase at a time, so the phases add up to its duration.
 *
 *     receive  from its first line until its body is there, and decoded as far as that is done while it arrives
 *     wait     for a computing thread, for other ranks of a synchronized step, for a state that is not in the cache
 *     compute  the rest: decoding what is left, normalizing, making the answer
 *     commit   from handing a change to the store until it is on disk; what is computed meanwhile is not counted apart
 *     send     from handing the answer to libmicrohttpd until its last byte is handed to the kernel
 *
 * For the owner of the request.
 */
#pragma once

#include <stdint.h>

#include "base/metrics.h"

struct phases {
	enum metric_phase now;
	uint64_t since_us;
	uint64_t us[METRIC_PHASE_COUNT]; /* of phases that have ended */
};

/* A zeroed struct becomes one that is in METRIC_PHASE_RECEIVE. */
void phases_begin(struct phases *p, uint64_t now_us);

/* Ends the phase and begins another, which it may have had before. */
void phases_enter(struct phases *p, enum metric_phase phase);

/* The request has ended: ends the phase. */
void phases_end(struct phases *p, uint64_t now_us);
