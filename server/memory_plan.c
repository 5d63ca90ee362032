#include "server/memory_plan.h"

#include <stdint.h>

#define MIB ((size_t)1 << 20)

/* The program, its libraries, the database's pages, the log's lines. */
#define FIXED_BYTES (24 * MIB)

/* What the allocator keeps at hand for a thread that has freed it: main.c's thresholds, and what lies between blocks. */
#define THREAD_BYTES (14 * MIB)

/* A body needs a little more than its tensor: the answer's first block, its own bookkeeping. */
#define BODY_SPARE_BYTES (2 * MIB)

#define CACHE_BYTES_MAX (256 * MIB)

/* A quarter: what is read again and again is small beside what passes through. */
static size_t
cache_part(size_t total)
{
	return total / 4 < CACHE_BYTES_MAX ? total / 4 : CACHE_BYTES_MAX;
}

/* The least total of which the requests' part holds a body. */
static size_t
least_total(size_t fixed, size_t body_max)
{
	const size_t rest = fixed + body_max + BODY_SPARE_BYTES, with_quarter = rest + rest / 3 + 1;

	return with_quarter / 4 < CACHE_BYTES_MAX ? with_quarter : rest + CACHE_BYTES_MAX;
}

int
memory_plan_make(size_t asked, size_t available, size_t body_max, unsigned threads, struct memory_plan *out, struct err *e)
{
	const size_t fixed = FIXED_BYTES + (size_t)2 * threads * THREAD_BYTES, least = least_total(fixed, body_max);

	if (asked != 0 && asked < least)
		return err_set(e, ERR_BAD_PARAMETER,
		    "--max-memory is %zu MiB; with %u threads and --max-body %zu MiB it must be at least %zuMiB", asked / MIB,
		    threads, body_max / MIB, (least + MIB - 1) / MIB);
	out->total = asked != 0 ? asked : available / 2;
	if (out->total < least)
		out->total = least;
	out->cache = cache_part(out->total);
	out->requests = out->total - out->cache - fixed;
	return 0;
}
