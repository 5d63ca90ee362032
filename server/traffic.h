/* SPDX-License-Identifier: MIT */
/* What the kernel knows of a connection: how far its bytes have come, and whether the client is there. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct traffic {
	uint64_t received;     /* from the client, whether or not we have read it */
	uint64_t acknowledged; /* by the client's kernel: what it has room for, which follows what the client reads */
	bool unacknowledged;   /* the socket holds bytes that the client has not taken */
};

/* False while nothing was received; always false where the kernel does not count, as in some sandboxes. */
bool traffic_read(int fd, struct traffic *t);

/* Whether the socket holds bytes that our event loop has not read. */
bool traffic_has_unread(int fd);

enum traffic_end {
	TRAFFIC_GOES_ON,
	TRAFFIC_HALF_CLOSED, /* the client sends no more; it may have hung up, or wait for its answer */
	TRAFFIC_GONE,        /* the connection was reset */
};

enum traffic_end traffic_end_of(int fd);
