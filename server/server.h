/* The running daemon: the listener, the event loops, the store. Started and stopped by main's thread. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/budget.h"
#include "server/config.h"
#include "storage/store.h"

struct MHD_Daemon;
struct MHD_Response;
struct claims;
struct sync;
struct deadlines;

struct server {
	/* Immutable while it serves. */
	struct store *store;
	struct claims *claims;
	struct sync *sync;
	struct MHD_Response *exhausted; /* for whom there is no memory */
	size_t max_body_bytes;
	unsigned port;

	/* main's. */
	struct MHD_Daemon *daemon;
	struct deadlines *deadlines;

	/* Any thread's. */
	atomic_bool draining;
	struct budget memory; /* of all requests */

	/* Guarded by `lock`: requests that are being served; `idle` is signalled when there are none. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned long active;
};

/* Opens the store, listens, serves. -1 with `e`; then nothing is left open. */
int server_start(struct server *s, const struct config *config, struct err *e) MUST_CHECK;

/*
 * Stops: no new connections, the requests that run get up to `timeout_s` seconds, what is in the store is committed and answered, then
 * everything is closed. Returns how many requests were cut off.
 */
unsigned long server_stop(struct server *s, unsigned timeout_s);

/* A request begins and ends (exchange.c). */
void server_enter(struct server *s);
void server_leave(struct server *s);

#endif
