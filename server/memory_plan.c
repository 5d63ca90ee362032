/* SPDX-License-Identifier: MIT */
#include "server/memory_plan.h"

#include <stdint.h>

#include "server/limits.h"

#define MIB ((size_t)1 << 20)

/* The program, its libraries, the database's pages, the log's lines. */
#define FIXED_BYTES (16 * MIB)

/* A thread's stack, and what lies between blocks. */
#define THREAD_BYTES (MIB / 2)

/* The largest block that a thread's allocator keeps. */
#define KEPT_BYTES_MAX (6 * MIB)
#define KEPT_BYTES_MIN ((size_t)128 << 10)
#define KEPT_PART 8

/* The state that is read often is small beside the data that passes through. */
#define CACHE_PART 4
#define CACHE_BYTES_MAX (1024 * MIB)

/* What the totals of sources may take of the cache's part; the rest is for other state whatever happens. */
#define SOURCES_OF_CACHE(bytes) ((bytes) / 4 * 3)

#define CONNECTIONS_PART 8

/* A body needs more than its tensor: the answer's first block, and records. */
#define BODY_SPARE_BYTES (2 * MIB)

/* A daemon for smaller bodies makes no sense. */
#define BODY_BYTES_MIN MIB

static size_t
less(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The parts of a total; if it is too small, nothing is left for the requests. */
static void
share_out(size_t total, const struct memory_wishes *w, struct memory_plan *out)
{
	const size_t thread_count = 2 * (size_t)w->threads;
	size_t rest;

	out->total = total;
	out->threads = 2 * w->threads;
	out->connection = CONNECTION_BYTES + (w->tls ? CONNECTION_TLS_BYTES : 0);
	out->kept = less(total / KEPT_PART / thread_count / 2, KEPT_BYTES_MAX);
	out->kept = out->kept > KEPT_BYTES_MIN ? out->kept : KEPT_BYTES_MIN;
	out->kept_together = 2 * out->kept;
	out->cache = less(total / CACHE_PART, CACHE_BYTES_MAX);
	out->sources = SOURCES_OF_CACHE(out->cache);
	out->connections = less(total / CONNECTIONS_PART, CONNECTIONS_MAX * out->connection);
	rest = FIXED_BYTES + thread_count * (THREAD_BYTES + out->kept_together) + out->cache + out->connections;
	out->requests = total > rest ? total - rest : 0;
}

/* The least total, in whole MiB, of which the requests' part holds a body. */
static size_t
least_total(size_t body_max, const struct memory_wishes *w)
{
	struct memory_plan plan;
	size_t low = 0, high = (size_t)1 << 30, mid; /* in MiB; what is shared out grows with the total */

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		share_out(mid * MIB, w, &plan);
		if (plan.requests >= body_max + BODY_SPARE_BYTES)
			high = mid;
		else
			low = mid;
	}
	return high * MIB;
}

static int
refuse_total(const struct memory_wishes *w, size_t least, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "--max-memory is %zu bytes (%zu MiB); with %u threads and --max-body %zu MiB it must be at least %zuMiB: "
	    "raise it, or lower --threads or --max-body",
	    w->total, w->total / MIB, w->threads, w->body_max / MIB, least / MIB);
}

static int
refuse_machine(const struct memory_wishes *w, size_t least, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "normd may use %zu MiB of memory (of the machine or the container) and needs %zu MiB with %u threads and "
	    "--max-body %zu MiB: lower --threads or --max-body, or give it more memory",
	    w->available / MIB, least / MIB, w->threads, w->body_max / MIB);
}

/* Without --max-memory: half of the available memory, or else a little more, or else smaller bodies. */
static int
plan_by_itself(const struct memory_wishes *w, struct memory_plan *out, struct err *e)
{
	const size_t half = w->available / 2, most = w->available / 4 * 3, least = least_total(w->body_max, w);

	share_out(least <= half || least > most ? half : least, w, out);
	if (least <= most)
		return 0;
	if (w->body_fixed)
		return refuse_machine(w, least, e);
	if (out->requests < BODY_BYTES_MIN + BODY_SPARE_BYTES)
		share_out(most, w, out);
	if (out->requests < BODY_BYTES_MIN + BODY_SPARE_BYTES)
		return refuse_machine(
		    &(struct memory_wishes){
			.available = w->available, .threads = w->threads, .body_max = BODY_BYTES_MIN },
		    least_total(BODY_BYTES_MIN, w) / 3 * 4, e);
	out->body_max = (out->requests - BODY_SPARE_BYTES) / MIB * MIB;
	out->body_lowered = true;
	return 0;
}

int
memory_plan_make(const struct memory_wishes *w, struct memory_plan *out, struct err *e)
{
	*out = (struct memory_plan){ .body_max = w->body_max, .available = w->available };
	if (w->total == 0)
		return plan_by_itself(w, out, e);
	share_out(w->total, w, out);
	if (out->requests >= w->body_max + BODY_SPARE_BYTES)
		return 0;
	return refuse_total(w, least_total(w->body_max, w), e);
}
