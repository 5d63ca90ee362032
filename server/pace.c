/* SPDX-License-Identifier: MIT */
#include "server/pace.h"

/* More bytes than this fill any allowance that can be configured; and a product of it does not overflow. */
#define BYTES_MAX ((uint64_t)1 << 40)

void
pace_start(struct pace *p, uint64_t now_us, uint64_t bytes, uint64_t timeout_us)
{
	p->due_us = now_us + timeout_us;
	p->bytes = bytes;
}

void
pace_refill(struct pace *p, uint64_t now_us, uint64_t bytes, uint64_t timeout_us)
{
	uint64_t moved = bytes - p->bytes, full_us = now_us + timeout_us;

	p->due_us += (moved < BYTES_MAX ? moved : BYTES_MAX) * 1000000 / PACE_BYTES_PER_S;
	if (p->due_us > full_us)
		p->due_us = full_us;
	p->bytes = bytes;
}

void
pace_pause(struct pace *p, uint64_t since_us, uint64_t now_us, uint64_t timeout_us)
{
	p->due_us += now_us - since_us;
	if (p->due_us > now_us + timeout_us)
		p->due_us = now_us + timeout_us;
}

bool
pace_is_late(const struct pace *p, uint64_t now_us)
{
	return now_us > p->due_us;
}
