/* SPDX-License-Identifier: MIT */
#include "base/spare_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below half of the bound nothing is done; from there on, each time that a 32nd part of it has been added. */
#define CALM_PART 2
#define STEP_PART 32

/* A thread looks each time that it has allocated so much. */
#define LOOK_BYTES ((size_t)4 << 20)

/* From this part of the bound on, memory that waits for a client must not be resident; small blocks are ignored. */
#define WAITING_PART 4
#define WAITING_BYTES ((size_t)64 << 10)

static struct {
	int statm; /* immutable, as the next two */
	size_t page_bytes;
	size_t bytes_max; /* 0: there is no bound */
	atomic_size_t above;
	pthread_mutex_t lock;
} spare = { .statm = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

void
spare_memory_bound(size_t bytes)
{
	spare.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	spare.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	spare.bytes_max = bytes;
	atomic_store(&spare.above, bytes / CALM_PART);
}

/* The process's resident bytes, or 0 if the system does not say. */
static size_t
resident_bytes(void)
{
	char text[128];
	const ssize_t len = spare.statm < 0 ? -1 : pread(spare.statm, text, sizeof(text) - 1, 0);
	const char *second;

	if (len <= 0)
		return 0;
	text[len] = '\0';
	second = strchr(text, ' ');
	return second == NULL ? 0 : strtoull(second, NULL, 10) * spare.page_bytes;
}

/* The size at which to trim next. */
static size_t
next_above(size_t resident)
{
	const size_t calm = spare.bytes_max / CALM_PART, next = resident + spare.bytes_max / STEP_PART;

	return next > calm ? next : calm;
}

/* One thread at a time. The others wait, because what they would allocate meanwhile would come on top. */
static void
give_back(size_t coming)
{
	size_t resident;

	pthread_mutex_lock(&spare.lock);
	resident = resident_bytes();
	if (resident + coming > atomic_load_explicit(&spare.above, memory_order_relaxed)) {
#ifdef __GLIBC__
		(void)malloc_trim(0);
		resident = resident_bytes();
#endif
		atomic_store_explicit(&spare.above, next_above(resident), memory_order_relaxed);
	}
	pthread_mutex_unlock(&spare.lock);
}

void
spare_memory_look(size_t coming)
{
	static _Thread_local size_t taken;
	size_t resident, above;

	taken += coming;
	if (taken < LOOK_BYTES || spare.bytes_max == 0)
		return;
	taken = 0;
	resident = resident_bytes();
	above = atomic_load_explicit(&spare.above, memory_order_relaxed);
	if (resident + coming > above)
		give_back(coming);
	else if (next_above(resident) < above)
		atomic_store_explicit(&spare.above, next_above(resident), memory_order_relaxed);
}

void
spare_memory_untouched(void *memory, size_t size)
{
	const uintptr_t mask = spare.page_bytes - 1, from = ((uintptr_t)memory + mask) & ~mask;

	if (spare.bytes_max == 0 || size < WAITING_BYTES || resident_bytes() < spare.bytes_max / WAITING_PART)
		return;
	/* If it fails, the pages stay. */
	(void)madvise((void *)from, (((uintptr_t)memory + size) & ~mask) - from, MADV_DONTNEED);
}
