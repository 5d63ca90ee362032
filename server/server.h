/* SPDX-License-Identifier: MIT */
/* The running daemon: listener, event loops, store. main's thread starts and stops it. */
#pragma once

#include <stdatomic.h>

#include "base/budget.h"
#include "handlers/web.h"
#include "server/config.h"
#include "server/listener.h"
#include "storage/store.h"

struct MHD_Daemon;
struct MHD_Response;
struct claims;
struct usage;
struct workers;
struct sync;
struct connections;
struct access_table;
struct tls;

enum server_phase {
	SERVER_SERVES,
	SERVER_HANDS_OVER, /* serves what it has, while the next daemon is started; answers end their connections */
	SERVER_LEAVES,     /* serves, but is not ready; answers end their connections */
	SERVER_DRAINS,     /* answers shutting_down to new requests */
};

struct server {
	/* Immutable while it serves. */
	bool activated; /* the listener is systemd's, which goes on listening when the server stops */
	struct store *store;
	struct access_table *access; /* who may call; NULL: everybody */
	struct claims *claims;
	struct usage *usage;
	struct sync *sync;
	struct meeting *meeting;        /* of synchronized steps; NULL: all ranks come to this daemon */
	struct MHD_Response *exhausted; /* the answer where there is no memory for another */
	struct workers *workers;
	struct tls *tls; /* NULL: plain HTTP */
	struct web web;  /* with `root` NULL: there are no pages */
	size_t max_body_bytes;
	uint64_t max_import_bytes;
	unsigned requests_per_second_max; /* of a token; 0: no limit */
	size_t memory_max;                /* of the process */
	struct origins origins;
	char host[LISTENER_HOST_BYTES]; /* the address that it listens on, in digits, and the port */
	unsigned port;
	unsigned connections_max;

	/* main's. */
	struct MHD_Daemon *daemon;
	struct connections *connections;
	int listener;

	/* main's, while it drains. */
	bool refusing;        /* new connections */
	bool had_connections; /* since it began */
	uint64_t drain_us;
	uint64_t quiet_since_us; /* 0: it is not quiet */

	/* Any thread's. */
	_Atomic enum server_phase phase; /* main's to write */
	struct budget memory;            /* of all requests */
	atomic_ulong active;             /* requests that are being served */
};

/*
 * Without tokens whoever can connect may do everything, so beyond this machine (not `loopback`) that must be asked
 * for. `host` is the address, for the message.
 */
int server_check_exposure(const struct config *config, const char *host, bool loopback, struct err *e) MUST_CHECK;

/* Reads the tokens and opens the listener, and no thread. -1 with `e`; then nothing is left open. */
int server_listen(struct server *s, const struct config *config, struct err *e) MUST_CHECK;

/* Releases what server_listen has opened, of a server that will not be started. */
void server_abandon(struct server *s);

/* Opens the store and serves, after server_listen. -1 with `e`; then nothing is left open. */
int server_start(struct server *s, const struct config *config, struct err *e) MUST_CHECK;

/*
 * Reports not ready from now on, so that load balancers send new clients elsewhere, and serves on. Answers carry
 * `Connection: close`: a client comes back by a new connection, which a load balancer may take elsewhere.
 */
void server_leave(struct server *s);

/* Warns of what will stop clients from being served, such as a certificate that expires. Call it every hour or so. */
void server_remind(struct server *s);

/*
 * Begins to stop: requests whose head comes from now on are answered shutting_down. Connections in the backlog are
 * still accepted; new ones are not. With systemd's listener none is accepted, because the next daemon takes them; those
 * that were are served to their end, so that a restart refuses no request.
 */
void server_drain(struct server *s);

/*
 * Whether all clients have their answers: for a while no request has run, and no connection has held unread bytes. Call
 * it every few milliseconds.
 */
bool server_is_drained(struct server *s);

/* Stops now: commits what is in the store and closes everything. Returns how many requests were cut off. */
unsigned long server_stop(struct server *s);
