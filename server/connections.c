/* SPDX-License-Identifier: MIT */
/*
 * The wrong socket is never shut down: libmicrohttpd notifies of a closed connection before it closes the descriptor,
 * so under the lock of the list that a record is in, the record's descriptor is still the connection's.
 */
#include "server/connections.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "server/crowd.h"
#include "server/peer.h"
#include "server/traffic.h"

/* Lists, each with a lock: an event loop that opens or closes a connection waits for a look at a 64th of the others. */
#define SHARD_COUNT 64
#define TICK_MAX_US ((uint64_t)1000000)

/* How long a handshake of TLS is waited for at the end of the daemon: its client is about to send a request. */
#define HANDSHAKE_US ((uint64_t)1000000)

struct shard {
	pthread_mutex_t lock;
	struct connection *first;
};

struct connections {
	uint64_t timeout_us, tick_us;
	struct crowd crowd;
	struct addresses *addresses; /* NULL: each may have any number */
	atomic_uint closed_at_once;  /* connections of addresses that had too many, since it was last looked at */
	pthread_t thread;
	struct shard shards[SHARD_COUNT];

	/* Guarded by `lock`; `wake` is signalled when it changes. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

/*
 * The event loop sees the socket hung up. An answer that nobody reads is dropped with it: else the kernel would hold it
 * for minutes after the close.
 */
static void
shut_locked(struct connection *c)
{
	static const struct linger drop = { .l_onoff = 1, .l_linger = 0 };

	atomic_store(&c->late, true);
	if (c->deadline.seen == DEADLINE_ANSWER)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void
look_at_all(struct connections *all)
{
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &all->shards[i];
		uint64_t now_us = clock_monotonic_us();

		pthread_mutex_lock(&shard->lock);
		for (struct connection *c = shard->first; c != NULL; c = c->next) {
			if (!atomic_load(&c->late) &&
			    deadline_look_locked(&c->deadline, c->fd, now_us, all->timeout_us)) {
				shut_locked(c);
				metrics_add(METRIC_CONNECTIONS_CLOSED, METRIC_CLOSING_LATE, 1);
			}
			c->deadline.looked_us = now_us;
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

unsigned
connections_open(struct connections *all)
{
	return atomic_load(&all->crowd.open);
}

bool
connections_unread(struct connections *all, bool *any)
{
	const uint64_t now_us = clock_monotonic_us(), new_us = now_us < HANDSHAKE_US ? 0 : now_us - HANDSHAKE_US;
	bool unread = false;

	for (size_t i = 0; i < SHARD_COUNT && !unread; i++) {
		struct shard *shard = &all->shards[i];

		pthread_mutex_lock(&shard->lock);
		*any = *any || shard->first != NULL;
		for (struct connection *c = shard->first; c != NULL && !unread; c = c->next)
			unread = traffic_has_unread(c->fd) || deadline_is_new_handshake_locked(&c->deadline, new_us);
		pthread_mutex_unlock(&shard->lock);
	}
	return unread;
}

typedef uint64_t since_function(const struct deadline *, int fd, uint64_t timeout_us);

/* Closes up to `count` connections that have waited for their client for so long; returns how many were. */
static unsigned
close_waiting(struct connections *all, since_function *since_locked, uint64_t least_us, unsigned count)
{
	const uint64_t now_us = clock_monotonic_us();
	unsigned closed = 0;
	uint64_t since_us;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &all->shards[i];

		pthread_mutex_lock(&shard->lock);
		for (struct connection *c = shard->first; c != NULL && closed < count; c = c->next) {
			since_us = atomic_load(&c->late) ? 0 : since_locked(&c->deadline, c->fd, all->timeout_us);
			if (since_us == 0 || now_us <= since_us + least_us)
				continue;
			c->deadline.between_requests = false;
			shut_locked(c);
			metrics_add(METRIC_CONNECTIONS_CLOSED, METRIC_CLOSING_ROOM, 1);
			closed++;
		}
		pthread_mutex_unlock(&shard->lock);
	}
	return closed;
}

/*
 * Where clients are turned away, idle connections are closed: about the longest idle first, none that was idle for a
 * moment only. If that is not enough, connections with an incomplete head follow: many of them would keep everybody
 * else out until the timeout.
 */
static void
make_room(struct connections *all)
{
	const uint64_t least_us = all->timeout_us / 4;
	const unsigned excess = crowd_excess(&all->crowd);
	unsigned closed = 0;

	for (uint64_t idle_us = 16 * least_us; idle_us >= least_us && closed < excess; idle_us /= 2)
		closed += close_waiting(all, deadline_idle_since_locked, idle_us, excess - closed);
	if (closed < excess)
		closed += close_waiting(all, deadline_half_head_since_locked, least_us, excess - closed);
	if (closed > 0)
		log_event(LOG_WARN, "waiting connections were closed to make room",
		    (const struct log_field[]){ { .name = "count", .number = closed },
			{ .name = "connections_max", .number = all->crowd.max } },
		    2);
}

static void
report_closed(struct connections *all)
{
	const unsigned count = atomic_exchange(&all->closed_at_once, 0);

	if (count > 0)
		log_event(LOG_WARN, "connections were closed at once: their addresses had too many",
		    &(const struct log_field){ .name = "count", .number = count }, 1);
}

static void *
watch(void *arg)
{
	struct connections *all = arg;
	struct timespec at;

	pulse_begin("deadline");
	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		pthread_mutex_unlock(&all->lock);
		look_at_all(all);
		make_room(all);
		report_closed(all);
		at = clock_timespec(clock_monotonic_us() + all->tick_us);
		pthread_mutex_lock(&all->lock);
		pulse_wait();
		while (!all->stopping && pthread_cond_timedwait(&all->wake, &all->lock, &at) == 0)
			;
		pulse_work();
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void
free_all(struct connections *all)
{
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_destroy(&all->shards[i].lock);
	pthread_mutex_destroy(&all->lock);
	pthread_cond_destroy(&all->wake);
	addresses_free(all->addresses);
	free(all);
}

static void
init_all(struct connections *all, const struct connections_limits *limits)
{
	all->crowd.max = limits->max;
	all->timeout_us = (uint64_t)limits->timeout_s * 1000000;
	all->tick_us = all->timeout_us / 4 < TICK_MAX_US ? all->timeout_us / 4 : TICK_MAX_US;
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_init(&all->shards[i].lock, NULL);
	pthread_mutex_init(&all->lock, NULL);
	clock_cond_init(&all->wake);
}

struct connections *
connections_start(const struct connections_limits *limits, struct err *e)
{
	struct connections *all = calloc(1, sizeof(*all));
	int rc;

	if (all == NULL) {
		err_set_memory(e);
		return NULL;
	}
	init_all(all, limits);
	if (limits->per_address_max > 0 &&
	    (all->addresses = addresses_new(limits->per_address_max, limits->max, e)) == NULL)
		goto fail;
	rc = pthread_create(&all->thread, NULL, watch, all);
	if (rc == 0)
		return all;
	err_set(e, ERR_OVERLOADED, "the thread that watches the clients cannot be started: %s", strerror(rc));
fail:
	free_all(all);
	return NULL;
}

void
connections_stop(struct connections *all)
{
	if (all == NULL)
		return;
	pthread_mutex_lock(&all->lock);
	all->stopping = true;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	free_all(all);
}

/* Counts a new connection by its address. False: it is to be closed at once, and is not counted. */
static bool
enter_address(struct connections *all, struct connection *c, const struct sockaddr *client)
{
	enum addresses_verdict verdict;

	if (all->addresses == NULL || !address_of(client, &c->address))
		return true;
	verdict = addresses_enter(all->addresses, &c->address);
	c->counted = verdict != ADDRESSES_CLOSE;
	if (verdict == ADDRESSES_REFUSE)
		c->welcome = CONNECTION_BEYOND_ADDRESS;
	return c->counted;
}

static void
link_to_shard(struct connection *c, struct shard *shard)
{
	c->shard = shard;
	pthread_mutex_lock(&shard->lock);
	c->next = shard->first;
	c->link = &shard->first;
	if (c->next != NULL)
		c->next->link = &c->next;
	shard->first = c;
	pthread_mutex_unlock(&shard->lock);
}

/* The record of a new connection, in its list; NULL: it is to be closed. */
static struct connection *
connection_new(struct connections *all, int fd, const struct sockaddr *client)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->fd = fd;
	metrics_count(METRIC_CONNECTIONS_OPENED);
	if (!enter_address(all, c, client)) {
		metrics_add(METRIC_CONNECTIONS_CLOSED, METRIC_CLOSING_ADDRESS, 1);
		atomic_fetch_add(&all->closed_at_once, 1);
		free(c);
		return NULL;
	}
	if (!crowd_enter(&all->crowd))
		c->welcome = CONNECTION_BEYOND_ALL;
	if (c->welcome != CONNECTION_WELCOME)
		metrics_count(METRIC_CONNECTIONS_REFUSED);
	deadline_init(&c->deadline);
	stream_assign(fd, &c->stream);
	link_to_shard(c, &all->shards[(unsigned)fd % SHARD_COUNT]);
	return c;
}

/* After it was taken out of its list. */
static void
connection_free(struct connections *all, struct connection *c)
{
	stream_assign(c->fd, NULL);
	stream_wake_when_writable(&c->stream, false);
	crowd_leave(&all->crowd);
	if (c->counted)
		addresses_leave(all->addresses, &c->address);
	access_seen_fini(&c->seen);
	free(c);
}

static void
connection_unlink(struct connection *c)
{
	pthread_mutex_lock(&c->shard->lock);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	pthread_mutex_unlock(&c->shard->lock);
}

static const char *
phase_name(enum deadline_phase phase)
{
	if (phase == DEADLINE_HANDSHAKE)
		return "handshake";
	return phase == DEADLINE_HEAD ? "head" : "answer";
}

/* Logs a late client that no exchange logs. */
static void
log_late(const struct connection *c, struct MHD_Connection *mhd)
{
	char client[PEER_BYTES];

	peer_address(mhd, client, sizeof(client));
	log_event(LOG_INFO, "timeout",
	    (const struct log_field[]){
		{ .name = "phase", .text = phase_name(c->deadline.seen) }, { .name = "client", .text = client } },
	    2);
}

void
connections_notify(
    struct connections *all, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct connection *c = *context;
	int fd;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		/* libmicrohttpd 1.0 answers each question in the same memory: keep the first answer. */
		fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		*context = connection_new(
		    all, fd, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
		if (*context == NULL)
			(void)shutdown(fd, SHUT_RDWR); /* rather than a client without a deadline */
	} else if (c != NULL) {
		connection_unlink(c);
		if (c->late && c->deadline.between_requests)
			log_late(c, mhd);
		connection_free(all, c);
		*context = NULL;
	}
}

struct connection *
connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static void
set_give_up(struct connection *c, void (*give_up)(void *arg), void *arg)
{
	pthread_mutex_lock(&c->shard->lock);
	c->deadline.give_up = give_up;
	c->deadline.give_up_arg = arg;
	c->deadline.ended_us = 0;
	pthread_mutex_unlock(&c->shard->lock);
}

void
connection_enter(struct connection *c, enum deadline_phase phase)
{
	const struct stream *s = &c->stream;
	const bool more = phase == DEADLINE_IDLE && (intake_holds_more(&s->intake) || tls_session_holds_more(s));

	if (deadline_is_waiting(&c->deadline))
		set_give_up(c, NULL, NULL);
	deadline_enter(&c->deadline, phase, stream_consumed(s), more);
}

void
connection_wait(struct connection *c, void (*give_up)(void *arg), void *arg)
{
	set_give_up(c, give_up, arg);
	deadline_enter(&c->deadline, DEADLINE_WAITING, 0, false);
}
