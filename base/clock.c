#include "base/clock.h"

#include <stdio.h>

uint64_t
clock_monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct timespec
clock_timespec(uint64_t monotonic_us)
{
	return (
	    struct timespec){ .tv_sec = (time_t)(monotonic_us / 1000000), .tv_nsec = (long)(monotonic_us % 1000000) * 1000 };
}

void
clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int64_t
clock_realtime_s(void)
{
	return (int64_t)time(NULL);
}

void
clock_stamp(char out[CLOCK_STAMP_BYTES])
{
	struct timespec t;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	len = strftime(out, CLOCK_STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, CLOCK_STAMP_BYTES - len, ".%03uZ", (unsigned)(t.tv_nsec / 1000000) % 1000);
}
