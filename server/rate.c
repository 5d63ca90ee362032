/* SPDX-License-Identifier: MIT */
#include "server/rate.h"

#define SECOND_NS UINT64_C(1000000000)

uint64_t
rate_take(struct rate *r, unsigned per_second, uint64_t now_ns)
{
	const uint64_t interval_ns = SECOND_NS / per_second, ahead_max_ns = interval_ns * (per_second - 1);
	uint64_t due_ns = atomic_load_explicit(&r->due_ns, memory_order_relaxed), from_ns;

	do {
		from_ns = due_ns > now_ns ? due_ns : now_ns;
		if (from_ns - now_ns > ahead_max_ns)
			return from_ns - now_ns - ahead_max_ns;
	} while (!atomic_compare_exchange_weak_explicit(
	    &r->due_ns, &due_ns, from_ns + interval_ns, memory_order_relaxed, memory_order_relaxed));
	return 0;
}
