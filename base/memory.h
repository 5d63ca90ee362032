/* SPDX-License-Identifier: MIT */
/* How much memory there is for this process, and in what pages. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/*
 * The bytes that the machine has, or that the process's control groups (a container's limit) or its own limits let it
 * use, whichever is the least.
 */
size_t memory_limit_bytes(void);

/*
 * The least limit of the control groups that the file `groups` (/proc/self/cgroup) names, under `mount`
 * (/sys/fs/cgroup), of version 1 and 2, and of all groups above them. SIZE_MAX where there is none.
 */
size_t memory_group_limit(const char *groups, const char *mount);

/*
 * To be called of memory for a tensor before it is written: where that is large, it is asked for in large pages (2 MB
 * on x86, instead of 4 kB), if the system has any: fewer faults when it is first written, and addresses are found
 * faster ever after. What is not used of the last one costs nothing but memory, less than a page of it. Not of memory
 * that realloc grows: it would be two mappings, which the system does not move as one, and realloc would have to copy
 * it.
 */
void memory_large_pages(void *memory, size_t size);

/*
 * The same of a block that malloc or realloc has just given, and that realloc may grow. All of its mapping is asked for
 * in large pages, with the allocator's own bytes before the block, so that it stays one mapping.
 */
void memory_large_pages_of_block(void *block, size_t size);

#endif
