/* SPDX-License-Identifier: MIT */
/*
 * Memory that the allocator holds although it is free. Each thread's malloc arena keeps the gaps between blocks in use.
 * If large blocks are allocated by some threads now and by others later, all gaps come to several times what is in use.
 */
#pragma once

#include <stddef.h>

/* Sets the bytes that the process should stay within. Once, before other threads run; without it nothing is trimmed. */
void spare_memory_bound(size_t bytes);

/*
 * Is told the bytes that are about to be allocated. Once for every few MiB of a thread it looks at the process's size,
 * which takes about a microsecond. If that is near the bound, and has grown since the last time, the gaps go back to
 * the kernel. Threads may call it at once.
 */
void spare_memory_look(size_t coming);

/*
 * Is told of memory that was just allocated and will be written, and counted, as a client's bytes arrive. It may be a
 * gap whose pages are resident; if the process holds a quarter of its bound, they go back to the kernel until written.
 */
void spare_memory_untouched(void *memory, size_t size);
