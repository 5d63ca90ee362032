/* SPDX-License-Identifier: MIT */
#include "server/deadline.h"

#include "base/clock.h"
#include "server/traffic.h"

#define PHASE_BITS 4
#define PHASE_MASK ((1u << PHASE_BITS) - 1)

_Static_assert(DEADLINE_SILENT <= PHASE_MASK, "a phase must fit its bits");

static enum deadline_phase
phase_of(uint64_t state)
{
	return (enum deadline_phase)(state & PHASE_MASK);
}

/*
 * The real phase: libmicrohttpd does not tell of a head's first bytes, and for it a request ends when the socket has
 * the answer.
 */
static enum deadline_phase
real_phase(const struct deadline *d, enum deadline_phase told, const struct traffic *t)
{
	if (told != DEADLINE_IDLE && told != DEADLINE_BEGUN)
		return told;
	if (t->unacknowledged)
		return DEADLINE_ANSWER;
	return told == DEADLINE_BEGUN || t->received > d->idle_bytes ? DEADLINE_HEAD : DEADLINE_IDLE;
}

/* Counts what moved since the last look, in the same phase; true when the client has used up its time. */
static bool
reckon(struct deadline *d, int fd, const struct traffic *t, uint64_t now_us, uint64_t timeout_us)
{
	bool their_turn = d->seen == DEADLINE_ANSWER ? t->unacknowledged : !traffic_has_unread(fd);
	uint64_t bytes = d->seen == DEADLINE_ANSWER ? t->acknowledged : t->received;

	if (d->seen == DEADLINE_HEAD) /* bytes earn nothing: it is complete in time, or late */
		return their_turn && pace_is_late(&d->pace, now_us);
	/* Seen twice in a row, the time between the looks was the server's; seen once, a byte may just have come. */
	if (!their_turn && d->was_ours)
		pace_pause(&d->pace, d->looked_us, now_us, timeout_us);
	d->was_ours = !their_turn;
	pace_refill(&d->pace, now_us, bytes, timeout_us);
	return pace_is_late(&d->pace, now_us);
}

/* Gives up a request that waits, once, if its client is gone, or ended its side of the connection a timeout ago. */
static void
look_at_waiting_locked(struct deadline *d, int fd, uint64_t now_us, uint64_t timeout_us)
{
	const enum traffic_end end = d->give_up == NULL ? TRAFFIC_GOES_ON : traffic_end_of(fd);
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

/* Bytes that the event loop has not read may end the handshake; but it does not read while it waits to write. */
static bool
look_at_handshake_locked(struct deadline *d, int fd, uint64_t now_us, uint64_t timeout_us)
{
	const uint64_t due_us = d->idle_since_us + timeout_us;

	d->seen = DEADLINE_HANDSHAKE;
	d->between_requests = true;
	return now_us > due_us && (now_us > due_us + timeout_us || !traffic_has_unread(fd));
}

bool
deadline_look_locked(struct deadline *d, int fd, uint64_t now_us, uint64_t timeout_us)
{
	uint64_t state = atomic_load_explicit(&d->state, memory_order_acquire);
	enum deadline_phase told = phase_of(state), phase;
	struct traffic t;

	if (told == DEADLINE_HANDSHAKE)
		return look_at_handshake_locked(d, fd, now_us, timeout_us);
	if (told == DEADLINE_WAITING) {
		look_at_waiting_locked(d, fd, now_us, timeout_us);
		return false;
	}
	if (told == DEADLINE_COMPUTING || !traffic_read(fd, &t)) {
		d->seen = told == DEADLINE_COMPUTING ? told : DEADLINE_SILENT;
		return false;
	}
	if (state >> PHASE_BITS != d->request)
		begin_idle_locked(d, state >> PHASE_BITS, &t, now_us);
	phase = real_phase(d, told, &t);
	if (phase != d->seen) {
		d->seen = phase;
		d->was_ours = false;
		pace_start(&d->pace, now_us, phase == DEADLINE_ANSWER ? t.acknowledged : t.received, timeout_us);
		return false;
	}
	d->between_requests = told == DEADLINE_IDLE || told == DEADLINE_BEGUN;
	return phase != DEADLINE_IDLE && reckon(d, fd, &t, now_us, timeout_us);
}

void
deadline_init(struct deadline *d)
{
	*d = (struct deadline){ .seen = DEADLINE_SILENT, .idle_since_us = clock_monotonic_us() };
}

void
deadline_enter(struct deadline *d, enum deadline_phase phase, uint64_t delivered, bool more)
{
	uint64_t request = atomic_load_explicit(&d->state, memory_order_relaxed) >> PHASE_BITS;

	if (phase == DEADLINE_IDLE) {
		request++;
		atomic_store_explicit(&d->consumed, delivered, memory_order_relaxed);
		if (more)
			phase = DEADLINE_BEGUN;
	}
	atomic_store_explicit(&d->state, request << PHASE_BITS | phase, memory_order_release);
}

bool
deadline_is_new_handshake_locked(const struct deadline *d, uint64_t least_start_us)
{
	return phase_of(atomic_load_explicit(&d->state, memory_order_relaxed)) == DEADLINE_HANDSHAKE &&
	    d->idle_since_us >= least_start_us;
}

bool
deadline_is_waiting(const struct deadline *d)
{
	return phase_of(atomic_load_explicit(&d->state, memory_order_relaxed)) == DEADLINE_WAITING;
}

uint64_t
deadline_idle_since_locked(const struct deadline *d, int fd, uint64_t timeout_us)
{
	const uint64_t state = atomic_load_explicit(&d->state, memory_order_relaxed);
	const bool idle = phase_of(state) == DEADLINE_IDLE && state >> PHASE_BITS == d->request;

	(void)fd, (void)timeout_us;
	return idle && (d->seen == DEADLINE_IDLE || d->seen == DEADLINE_SILENT) ? d->idle_since_us : 0;
}

uint64_t
deadline_half_head_since_locked(const struct deadline *d, int fd, uint64_t timeout_us)
{
	const uint64_t state = atomic_load_explicit(&d->state, memory_order_relaxed);
	const enum deadline_phase told = phase_of(state);
	const bool handshake = told == DEADLINE_HANDSHAKE;
	const bool may = told == DEADLINE_IDLE || told == DEADLINE_BEGUN || told == DEADLINE_HEAD;

	if (handshake)
		return d->idle_since_us;
	return may && state >> PHASE_BITS == d->request && d->seen == DEADLINE_HEAD && !traffic_has_unread(fd) ?
	    d->pace.due_us - timeout_us :
	    0;
}
