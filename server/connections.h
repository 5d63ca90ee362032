/* SPDX-License-Identifier: MIT */
/*
 * All connections: a record of each, and the thread that watches them. About once a second the thread looks at every
 * connection and shuts down the sockets of late clients (deadline.h); libmicrohttpd notices that, and the request is
 * freed where it always is. Where new clients are turned away (crowd.h), the thread closes idle connections, those that
 * were idle longest first.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "server/access.h"
#include "server/addresses.h"
#include "server/deadline.h"
#include "server/stream.h"

struct connections;
struct exchange;

/* Whether a connection's requests are served. Where there were too many when it was opened, they are to be refused. */
enum connection_welcome { CONNECTION_WELCOME, CONNECTION_BEYOND_ALL, CONNECTION_BEYOND_ADDRESS };

/* The record of a connection; valid until the connection is closed. */
struct connection {
	/* Immutable. */
	int fd;
	enum connection_welcome welcome;
	bool counted;           /* by its address */
	struct address address; /* if it is */
	struct shard *shard;

	/* The event loop's. */
	struct exchange *held; /* the one that uses the connection, or NULL: libmicrohttpd tells of no request's end */
	struct stream stream;
	struct access_seen seen;

	atomic_bool late; /* it was shut down because its client was late; the watching thread's to write */
	struct deadline deadline;

	/* Guarded by the shard's lock. */
	struct connection *next, **link;
};

struct connections_limits {
	unsigned timeout_s;       /* of a slow client */
	unsigned max;             /* connections */
	unsigned per_address_max; /* 0: no limit */
};

/* Starts the thread. NULL with `e`. */
struct connections *connections_start(const struct connections_limits *limits, struct err *e) MUST_CHECK;

/* Ends the thread, after the last connection was closed. NULL is fine. */
void connections_stop(struct connections *all);

/* How many connections are open. Any thread. */
unsigned connections_open(struct connections *all);

/*
 * Whether a connection holds bytes that its event loop has not read, or has just begun with TLS. *any is set if there
 * is a connection. Any thread.
 */
bool connections_unread(struct connections *all, bool *any);

/* MHD_OPTION_NOTIFY_CONNECTION: makes and frees the record, which is *context. */
void connections_notify(
    struct connections *all, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what);

/* The record; NULL where there was no memory for one: then the connection is being closed. */
struct connection *connection_of(struct MHD_Connection *mhd);

/* Whose turn it is now. From the owner of the request, while the connection is not closed. */
void connection_enter(struct connection *c, enum deadline_phase phase);

/*
 * Enters DEADLINE_WAITING. If the client resets the connection, or ended its side a timeout ago, the watching thread
 * calls `give_up` once, which may resume the request. It is not called after the next phase was entered.
 */
void connection_wait(struct connection *c, void (*give_up)(void *arg), void *arg);
