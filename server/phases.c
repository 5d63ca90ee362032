/* SPDX-License-Identifier: MIT */
#include "server/phases.h"

#include "base/clock.h"

void
phases_begin(struct phases *p, uint64_t now_us)
{
	p->now = METRIC_PHASE_RECEIVE;
	p->since_us = now_us;
}

void
phases_end(struct phases *p, uint64_t now_us)
{
	p->us[p->now] += now_us - p->since_us;
	p->since_us = now_us;
}

void
phases_enter(struct phases *p, enum metric_phase phase)
{
	phases_end(p, clock_monotonic_us());
	p->now = phase;
}
