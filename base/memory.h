/* How much memory there is for this process. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* The bytes that the machine has, or that the process's control group (a container's limit) lets it use, whichever is less. */
size_t memory_limit_bytes(void);

#endif
