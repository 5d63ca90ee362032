/* SPDX-License-Identifier: MIT */
/*
 * normd in which a thread hangs: linked with --wrap=clock_monotonic_us and --wrap=request_step; every thread calls one
 * of them. While there is a file HANG_FILE, a thread by the name of HANG_THREAD that calls one says so on standard
 * error and does not return.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/request.h"

#define LOOK_US 1000
#define LOOKS_MAX 60000

uint64_t __real_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void);
enum request_next __real_request_step(struct request *rq, bool apart);
enum request_next __wrap_request_step(struct request *rq, bool apart);

static bool
is_to_hang(const char *file)
{
	const char *wanted = getenv("HANG_THREAD");
	char name[16] = "";

	return file != NULL && wanted != NULL && access(file, F_OK) == 0 &&
	    pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 && strcmp(name, wanted) == 0;
}

static void
hang(void)
{
	const char *file = getenv("HANG_FILE");

	if (is_to_hang(file)) {
		fputs("a thread hangs\n", stderr);
		for (unsigned looks = 0; access(file, F_OK) == 0 && looks < LOOKS_MAX; looks++)
			usleep(LOOK_US);
	}
}

uint64_t
__wrap_clock_monotonic_us(void)
{
	hang();
	return __real_clock_monotonic_us();
}

enum request_next
__wrap_request_step(struct request *rq, bool apart)
{
	hang();
	return __real_request_step(rq, apart);
}
