/* SPDX-License-Identifier: MIT */
/*
 * How far a client has come is asked of the kernel (TCP_INFO: bytes received, bytes acknowledged), not counted by us:
 * it sees a head's bytes before libmicrohttpd has a whole line of it, and an answer's bytes after they were handed to
 * the socket, whether the answer was handed over whole or is streamed. And the event loops have nothing to count: a
 * change of phase is one store.
 *
 * A client's kernel acknowledges what it has room for, and after it was full it makes room in steps, on Linux of a
 * sixteenth of its buffer or a segment. Who had read fast and then reads slower than such a step in the timeout (20
 * kB/s at 6 MB and 20 s) looks as if it had stopped.
 *
 * The wrong socket is never shut down: libmicrohttpd notifies of a closed connection before it closes the descriptor,
 * so under the lock of the list that a record is in, the record's descriptor is still the connection's.
 */
#include "server/deadline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/crowd.h"
#include "server/pace.h"
#include "server/peer.h"
#include "server/stream.h"
#include "server/traffic.h"

/*
 * So many lists, each with a lock: an event loop that opens or closes a connection waits for the look at a 64th of the
 * others at most.
 */
#define SHARD_COUNT 64
#define PHASE_BITS 3
#define PHASE_MASK ((1u << PHASE_BITS) - 1)
#define TICK_MAX_US ((uint64_t)1000000)

struct deadline {
	/* Immutable. */
	int fd;
	bool beyond; /* deadline_is_beyond */
	struct shard *shard;

	/* The request's owner's to write: how many requests have ended, and the phase in the lowest bits. */
	_Atomic uint64_t state;
	_Atomic uint64_t consumed; /* bytes that libmicrohttpd had read when the last one ended; 0: that is not known */

	/* The event loop's. */
	struct exchange *held;
	struct stream stream;

	/* The watching thread's to write. */
	atomic_bool late;

	/* Guarded by the shard's lock. */
	struct deadline *next, **link;
	uint64_t request;           /* the one that was seen last */
	struct pace pace;           /* since its phase was first seen */
	enum deadline_phase seen;   /* that phase, as far as the kernel's counts tell */
	void (*give_up)(void *arg); /* of a request that waits, else NULL */
	void *give_up_arg;
	uint64_t ended_us;          /* when its client was first seen to send no more; 0: it was not */
	bool was_ours;              /* it was the server's turn at the last look */
	bool late_between_requests; /* no exchange will log it */
	uint64_t looked_us;         /* when it was last looked at */
	uint64_t idle_since_us;     /* when that was first seen; the connection's start, before its first request */
	uint64_t idle_bytes;        /* that had come by then; more of them are the next request's */
};

struct shard {
	pthread_mutex_t lock;
	struct deadline *first;
};

struct deadlines {
	uint64_t timeout_us, tick_us;
	struct crowd crowd;
	pthread_t thread;
	struct shard shards[SHARD_COUNT];

	/* Guarded by `lock`; `wake` is signalled when it changes. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

/*
 * The phase in truth: libmicrohttpd calls nobody for a head's first bytes, and a request ends for it when the socket
 * has the answer.
 */
static enum deadline_phase
phase_in_truth(const struct deadline *d, enum deadline_phase told, const struct traffic *t)
{
	if (told != DEADLINE_IDLE && told != DEADLINE_BEGUN)
		return told;
	if (t->unacknowledged)
		return DEADLINE_ANSWER;
	return told == DEADLINE_BEGUN || t->received > d->idle_bytes ? DEADLINE_HEAD : DEADLINE_IDLE;
}

/* Reckons with what moved since the last look, in the same phase; true when the client has used up its time. */
static bool
reckon(struct deadline *d, const struct traffic *t, uint64_t now_us, uint64_t timeout_us)
{
	bool their_turn = d->seen == DEADLINE_ANSWER ? t->unacknowledged : !traffic_has_unread(d->fd);
	uint64_t bytes = d->seen == DEADLINE_ANSWER ? t->acknowledged : t->received;

	if (d->seen == DEADLINE_HEAD) /* bytes earn nothing: it is complete in time, or late */
		return their_turn && pace_is_late(&d->pace, now_us);
	/* Seen twice in a row it was the server's time between the looks; once, a byte may just have come. */
	if (!their_turn && d->was_ours)
		pace_pause(&d->pace, d->looked_us, now_us, timeout_us);
	d->was_ours = !their_turn;
	pace_refill(&d->pace, now_us, bytes, timeout_us);
	return pace_is_late(&d->pace, now_us);
}

/*
 * Whether the request waits in vain: its client is gone, or sends no more and has been waited for. Then it is given up,
 * once.
 */
static void
look_at_waiting_locked(struct deadline *d, uint64_t now_us, uint64_t timeout_us)
{
	const enum traffic_end end = d->give_up == NULL ? TRAFFIC_GOES_ON : traffic_end_of(d->fd);
	void (*give_up)(void *arg) = d->give_up;

	d->seen = DEADLINE_WAITING;
	if (end == TRAFFIC_GOES_ON)
		return;
	if (d->ended_us == 0)
		d->ended_us = now_us;
	if (end == TRAFFIC_HALF_CLOSED && now_us <= d->ended_us + timeout_us)
		return;
	d->give_up = NULL;
	give_up(d->give_up_arg);
}

/* A request has ended since the last look. */
static void
begin_idle_locked(struct deadline *d, uint64_t request, const struct traffic *t, uint64_t now_us)
{
	const uint64_t consumed = atomic_load_explicit(&d->consumed, memory_order_relaxed);

	d->request = request;
	d->seen = DEADLINE_IDLE;
	d->idle_since_us = now_us;
	d->idle_bytes = consumed > 0 ? consumed : t->received;
}

/* Looks at one connection; true when its client is late. The lock is held. */
static bool
look_locked(struct deadline *d, uint64_t now_us, uint64_t timeout_us)
{
	uint64_t state = atomic_load_explicit(&d->state, memory_order_acquire);
	enum deadline_phase told = (enum deadline_phase)(state & PHASE_MASK), phase;
	struct traffic t;

	if (told == DEADLINE_WAITING) {
		look_at_waiting_locked(d, now_us, timeout_us);
		return false;
	}
	if (told == DEADLINE_COMPUTING || !traffic_read(d->fd, &t)) {
		d->seen = told == DEADLINE_COMPUTING ? told : DEADLINE_SILENT;
		return false;
	}
	if (state >> PHASE_BITS != d->request)
		begin_idle_locked(d, state >> PHASE_BITS, &t, now_us);
	phase = phase_in_truth(d, told, &t);
	if (phase != d->seen) {
		d->seen = phase;
		d->was_ours = false;
		pace_start(&d->pace, now_us, phase == DEADLINE_ANSWER ? t.acknowledged : t.received, timeout_us);
		return false;
	}
	d->late_between_requests = told == DEADLINE_IDLE || told == DEADLINE_BEGUN;
	return phase != DEADLINE_IDLE && reckon(d, &t, now_us, timeout_us);
}

/*
 * The event loop sees the socket hung up. An answer that nobody reads is dropped with it: else the kernel would hold it
 * for minutes after the close.
 */
static void
shut_locked(struct deadline *d)
{
	static const struct linger drop = { .l_onoff = 1, .l_linger = 0 };

	atomic_store(&d->late, true);
	if (d->seen == DEADLINE_ANSWER)
		(void)setsockopt(d->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
	(void)shutdown(d->fd, SHUT_RDWR);
}

static void
look_at_all(struct deadlines *all)
{
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &all->shards[i];
		uint64_t now_us = clock_monotonic_us();

		pthread_mutex_lock(&shard->lock);
		for (struct deadline *d = shard->first; d != NULL; d = d->next) {
			if (!atomic_load(&d->late) && look_locked(d, now_us, all->timeout_us))
				shut_locked(d);
			d->looked_us = now_us;
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

bool
deadlines_unread(struct deadlines *all, bool *any)
{
	bool unread = false;

	for (size_t i = 0; i < SHARD_COUNT && !unread; i++) {
		struct shard *shard = &all->shards[i];

		pthread_mutex_lock(&shard->lock);
		*any = *any || shard->first != NULL;
		for (struct deadline *d = shard->first; d != NULL && !unread; d = d->next)
			unread = traffic_has_unread(d->fd);
		pthread_mutex_unlock(&shard->lock);
	}
	return unread;
}

/* Since when it waits for a request, of which nothing has come; 0: it does not. The lock is held. */
static uint64_t
idle_since_locked(const struct deadlines *all, const struct deadline *d)
{
	uint64_t state = atomic_load_explicit(&d->state, memory_order_relaxed);

	(void)all;
	return (state & PHASE_MASK) == DEADLINE_IDLE && state >> PHASE_BITS == d->request &&
		(d->seen == DEADLINE_IDLE || d->seen == DEADLINE_SILENT) ?
	    d->idle_since_us :
	    0;
}

/* Since when it waits for the rest of a request's head; 0: it does not. The lock is held. */
static uint64_t
half_head_since_locked(const struct deadlines *all, const struct deadline *d)
{
	uint64_t state = atomic_load_explicit(&d->state, memory_order_relaxed);
	enum deadline_phase told = (enum deadline_phase)(state & PHASE_MASK);

	return (told == DEADLINE_IDLE || told == DEADLINE_BEGUN || told == DEADLINE_HEAD) &&
		state >> PHASE_BITS == d->request && d->seen == DEADLINE_HEAD && !traffic_has_unread(d->fd) ?
	    d->pace.due_us - all->timeout_us :
	    0;
}

typedef uint64_t since_function(const struct deadlines *, const struct deadline *);

/* Closes up to `count` connections that have waited for their client for so long; returns how many were. */
static unsigned
close_waiting(struct deadlines *all, since_function *since_locked, uint64_t least_us, unsigned count)
{
	const uint64_t now_us = clock_monotonic_us();
	unsigned closed = 0;
	uint64_t since_us;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &all->shards[i];

		pthread_mutex_lock(&shard->lock);
		for (struct deadline *d = shard->first; d != NULL && closed < count; d = d->next) {
			since_us = atomic_load(&d->late) ? 0 : since_locked(all, d);
			if (since_us == 0 || now_us <= since_us + least_us)
				continue;
			d->late_between_requests = false;
			shut_locked(d);
			closed++;
		}
		pthread_mutex_unlock(&shard->lock);
	}
	return closed;
}

/*
 * Where clients are turned away, idle connections are closed: about the longest idle first, none that was idle for a
 * moment only. If that is not enough, those go whose request's head stays incomplete: many of them would keep everybody
 * else out until the timeout.
 */
static void
make_room(struct deadlines *all)
{
	const uint64_t least_us = all->timeout_us / 4;
	const unsigned excess = crowd_excess(&all->crowd);
	unsigned closed = 0;

	for (uint64_t idle_us = 16 * least_us; idle_us >= least_us && closed < excess; idle_us /= 2)
		closed += close_waiting(all, idle_since_locked, idle_us, excess - closed);
	if (closed < excess)
		closed += close_waiting(all, half_head_since_locked, least_us, excess - closed);
	if (closed > 0)
		log_event(LOG_WARN, "waiting connections were closed to make room",
		    (const struct log_field[]){ { .name = "count", .number = closed },
			{ .name = "connections_max", .number = all->crowd.max } },
		    2);
}

static void *
watch(void *arg)
{
	struct deadlines *all = arg;
	struct timespec at;

	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		pthread_mutex_unlock(&all->lock);
		look_at_all(all);
		make_room(all);
		at = clock_timespec(clock_monotonic_us() + all->tick_us);
		pthread_mutex_lock(&all->lock);
		while (!all->stopping && pthread_cond_timedwait(&all->wake, &all->lock, &at) == 0)
			;
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void
free_all(struct deadlines *all)
{
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_destroy(&all->shards[i].lock);
	pthread_mutex_destroy(&all->lock);
	pthread_cond_destroy(&all->wake);
	free(all);
}

struct deadlines *
deadlines_start(unsigned timeout_s, unsigned connections_max, struct err *e)
{
	struct deadlines *all = calloc(1, sizeof(*all));
	int rc;

	if (all == NULL) {
		err_set_memory(e);
		return NULL;
	}
	crowd_init(&all->crowd, connections_max);
	all->timeout_us = (uint64_t)timeout_s * 1000000;
	all->tick_us = all->timeout_us / 4 < TICK_MAX_US ? all->timeout_us / 4 : TICK_MAX_US;
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_init(&all->shards[i].lock, NULL);
	pthread_mutex_init(&all->lock, NULL);
	clock_cond_init(&all->wake);
	rc = pthread_create(&all->thread, NULL, watch, all);
	if (rc == 0)
		return all;
	err_set(e, ERR_OVERLOADED, "the thread that watches the clients cannot be started: %s", strerror(rc));
	free_all(all);
	return NULL;
}

void
deadlines_stop(struct deadlines *all)
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

/* The record of a new connection, in its list; NULL when there is no memory for it. */
static struct deadline *
deadline_new(struct deadlines *all, int fd)
{
	struct deadline *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->fd = fd;
	d->beyond = !crowd_enter(&all->crowd);
	d->idle_since_us = clock_monotonic_us();
	d->seen = DEADLINE_SILENT;
	stream_assign(fd, &d->stream);
	d->shard = &all->shards[(unsigned)fd % SHARD_COUNT];
	pthread_mutex_lock(&d->shard->lock);
	d->next = d->shard->first;
	d->link = &d->shard->first;
	if (d->next != NULL)
		d->next->link = &d->next;
	d->shard->first = d;
	pthread_mutex_unlock(&d->shard->lock);
	return d;
}

static void
deadline_unlink(struct deadline *d)
{
	pthread_mutex_lock(&d->shard->lock);
	*d->link = d->next;
	if (d->next != NULL)
		d->next->link = d->link;
	pthread_mutex_unlock(&d->shard->lock);
}

/* A late client of whom no exchange tells the log. */
static void
log_late(const struct deadline *d, struct MHD_Connection *connection)
{
	char client[PEER_BYTES];

	peer_address(connection, client, sizeof(client));
	log_event(LOG_INFO, "timeout",
	    (const struct log_field[]){ { .name = "phase", .text = d->seen == DEADLINE_HEAD ? "head" : "answer" },
		{ .name = "client", .text = client } },
	    2);
}

void
deadline_notify(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct deadlines *all = arg;
	struct deadline *d = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = deadline_new(all, info->connect_fd);
		if (*context == NULL)
			(void)shutdown(info->connect_fd, SHUT_RDWR); /* rather than a client without a deadline */
	} else if (d != NULL) {
		deadline_unlink(d);
		stream_assign(d->fd, NULL);
		crowd_leave(&all->crowd);
		if (d->late && d->late_between_requests)
			log_late(d, connection);
		free(d);
		*context = NULL;
	}
}

struct deadline *
deadline_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static void
set_give_up(struct deadline *d, void (*give_up)(void *arg), void *arg)
{
	pthread_mutex_lock(&d->shard->lock);
	d->give_up = give_up;
	d->give_up_arg = arg;
	d->ended_us = 0;
	pthread_mutex_unlock(&d->shard->lock);
}

void
deadline_hold(struct deadline *d, struct exchange *x)
{
	d->held = x;
}

struct exchange *
deadline_held(const struct deadline *d)
{
	return d == NULL ? NULL : d->held;
}

void
deadline_enter(struct deadline *d, enum deadline_phase phase)
{
	uint64_t state, request;

	if (d == NULL)
		return;
	state = atomic_load_explicit(&d->state, memory_order_relaxed);
	request = state >> PHASE_BITS;
	if ((state & PHASE_MASK) == DEADLINE_WAITING)
		set_give_up(d, NULL, NULL);
	if (phase == DEADLINE_IDLE) {
		request++;
		atomic_store_explicit(&d->consumed, d->stream.delivered, memory_order_relaxed);
		if (stream_holds_more(&d->stream))
			phase = DEADLINE_BEGUN;
	}
	atomic_store_explicit(&d->state, request << PHASE_BITS | phase, memory_order_release);
}

void
deadline_wait(struct deadline *d, void (*give_up)(void *arg), void *arg)
{
	uint64_t state;

	if (d == NULL)
		return;
	set_give_up(d, give_up, arg);
	state = atomic_load_explicit(&d->state, memory_order_relaxed) & ~(uint64_t)PHASE_MASK;
	atomic_store_explicit(&d->state, state | DEADLINE_WAITING, memory_order_release);
}

void
deadline_body_ends(struct deadline *d, const char *end)
{
	if (d != NULL)
		stream_body_ends(&d->stream, end);
}

bool
deadline_is_beyond(const struct deadline *d)
{
	return d != NULL && d->beyond;
}

bool
deadline_was_late(const struct deadline *d)
{
	return d != NULL && atomic_load(&d->late);
}
