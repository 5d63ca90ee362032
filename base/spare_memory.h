/* SPDX-License-Identifier: MIT */
/*
 * What the allocator holds although nobody uses it. Each thread's arena keeps the gaps between blocks in use: where
 * large blocks are taken by some threads now and by others later, the gaps of all come to several times what is in use.
 */
#ifndef BASE_SPARE_MEMORY_H
#define BASE_SPARE_MEMORY_H

#include <stddef.h>

/*
 * The process is to stay within so many bytes. Once, before other threads run; without it nothing is ever given back.
 */
void spare_memory_bound(size_t bytes);

/*
 * To be called with the bytes that are about to be taken. For every few MiB that a thread takes it looks once, which
 * costs about a microsecond: when the process holds much of its bound, and more than the last time that gaps were given
 * back, they go back to the kernel. Any thread.
 */
void spare_memory_look(size_t coming);

/*
 * To be called of memory that was just allocated, and is written, and counted, only as a client's bytes arrive. What
 * the allocator hands out may be a gap that is there already; when the process holds a quarter of its bound, the pages
 * go back to the kernel until they are written.
 */
void spare_memory_untouched(void *memory, size_t size);

/* The bytes that the process holds (resident), or 0 where the system does not say. */
size_t spare_memory_resident(void);

#endif
