/*
 * The memory of a connection. libmicrohttpd keeps one piece of it for each, and clears all of it after each request: more makes every
 * request slower.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stddef.h>

#define CONNECTION_MEMORY_BYTES ((size_t)16 * 1024)

/* What a connection costs once it has been used: that memory, all of which libmicrohttpd has touched then, and our records. */
#define CONNECTION_BYTES (CONNECTION_MEMORY_BYTES + ((size_t)2 << 10))

#endif
