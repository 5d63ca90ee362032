/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <string.h>

uint64_t
clock_monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
clock_sleep_us(uint64_t us)
{
	(void)nanosleep(
	    &(struct timespec){ .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 }, NULL);
}

struct timespec
clock_timespec(uint64_t monotonic_us)
{
	return (struct timespec){ .tv_sec = (time_t)(monotonic_us / 1000000),
		.tv_nsec = (long)(monotonic_us % 1000000) * 1000 };
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

int64_t
clock_realtime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The last second whose year has four digits, as RFC 3339 wants it. */
#define SECOND_MAX INT64_C(253402300799)

/* "2026-01-31T12:00:00" */
static void
format_second(int64_t second, char out[CLOCK_STAMP_BYTES])
{
	const time_t t = (time_t)(second < 0 ? 0 : second < SECOND_MAX ? second : SECOND_MAX);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, CLOCK_STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
}

/* The date and the second. A thread formats them once a second at most: a busy log writes thousands of lines. */
static const char *
date_of(time_t second)
{
	static _Thread_local time_t formatted = -1;
	static _Thread_local char text[CLOCK_STAMP_BYTES];

	if (second != formatted) {
		format_second(second, text);
		formatted = second;
	}
	return text;
}

void
clock_stamp(char out[CLOCK_STAMP_BYTES])
{
	struct timespec t;
	const char *date;
	unsigned ms;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &t);
	date = date_of(t.tv_sec);
	ms = (unsigned)(t.tv_nsec / 1000000);
	len = strlen(date);
	memcpy(out, date, len);
	memcpy(out + len,
	    (char[]){ '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', '\0' }, 6);
}

void
clock_second_stamp(int64_t second, char out[CLOCK_STAMP_BYTES])
{
	format_second(second, out);
	memcpy(out + strlen(out), "Z", 2);
}
