/* SPDX-License-Identifier: MIT */
/* How much memory this process may use, and in what pages. */
#pragma once

#include <stddef.h>

/* The least of the machine's memory and the limits of the process and its control groups (a container's limit). */
size_t memory_limit_bytes(void);

/*
 * The least limit of the control groups, version 1 or 2, that the file `groups` (/proc/self/cgroup) names, and of the
 * groups above them; `mount` is /sys/fs/cgroup. SIZE_MAX: there is none.
 */
size_t memory_group_limit(const char *groups, const char *mount);

/*
 * Advises the kernel to back a tensor's memory, if it is large, with large pages (2 MB on x86 instead of 4 kB): fewer
 * page faults, and faster translation of addresses. Call it before the first write. Not for memory that realloc may
 * grow: it would become two mappings, which the kernel cannot move as one, so that realloc had to copy.
 */
void memory_large_pages(void *memory, size_t size);

/* The same for a block from malloc that realloc may grow: all of its mapping, so that it stays one mapping. */
void memory_large_pages_of_block(void *block, size_t size);
