/* SPDX-License-Identifier: MIT */
/*
 * The whole process's memory: the program's own malloc, by which the dynamic linker replaces libc's everywhere. So
 * libmicrohttpd's and libc's own allocations fail too, wherever they are made. (The sanitizers have a malloc of their
 * own: there wrap.c alone is used.)
 */
#include <errno.h>
#include <stddef.h>

#include "tests/memory/fault.h"

/* glibc's. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);

static void *
out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
malloc(size_t size)
{
	return fault_strikes(true) ? out_of_memory() : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fault_strikes(true) ? out_of_memory() : __libc_calloc(count, size);
}

void *
realloc(void *block, size_t size)
{
	return fault_strikes(true) ? out_of_memory() : __libc_realloc(block, size);
}

void
fault_install(void)
{
}

/* What libc keeps for itself is its own matter: this is not counted here. */
long
fault_live(void)
{
	return 0;
}

bool
fault_is_within_libraries(void)
{
	return true;
}
