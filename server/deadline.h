/* SPDX-License-Identifier: MIT */
/*
 * When the client of a connection is late. libmicrohttpd's own timeout counts silence only: a client that sends one
 * byte a second would live for ever. Here a head must be complete within the timeout, and a body and an answer must
 * move at the rate of pace.h. While normd computes or commits, and while a connection is idle, nobody is late
 * (libmicrohttpd ends idle connections after ten minutes). While a request waits for other clients nobody is late
 * either, but only a look here notices that its client hung up: libmicrohttpd does not watch suspended connections.
 *
 * Progress is asked of the kernel (TCP_INFO: bytes received and acknowledged), which sees a head's bytes before
 * libmicrohttpd has a whole line, and an answer's bytes after they were handed to the socket. The event loops count
 * nothing: a change of phase is one store. A client's kernel acknowledges what it has room for, and once its buffer was
 * full it makes room in steps, on Linux of a sixteenth of the buffer or a segment. A client that first read fast and
 * then reads less than such a step in the timeout (20 kB/s at 6 MB and 20 s) looks as if it had stopped.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/pace.h"

enum deadline_phase {
	DEADLINE_IDLE, /* between two requests, and until a request's first line is complete */
	DEADLINE_HEAD,
	DEADLINE_BODY,
	DEADLINE_COMPUTING, /* the server's turn */
	DEADLINE_WAITING,   /* other clients' turn */
	DEADLINE_ANSWER,
	DEADLINE_HANDSHAKE, /* of TLS, from the connection's start: it must be done within the timeout */
	/* Found out by a look, not entered by deadline_enter's callers: */
	DEADLINE_BEGUN,  /* idle, but bytes of the next head came with the last request */
	DEADLINE_SILENT, /* the client has never sent anything */
};

struct deadline {
	/* For the owner of the request to write: how many requests have ended, and the phase in the lowest bits. */
	_Atomic uint64_t state;
	_Atomic uint64_t consumed; /* bytes that libmicrohttpd had read when the last request ended; 0: unknown */

	/* Guarded by the lock of the connection's list (connections.c). */
	uint64_t request;           /* the one that was seen last */
	struct pace pace;           /* since its phase was first seen */
	enum deadline_phase seen;   /* that phase, as far as the kernel's counts tell */
	void (*give_up)(void *arg); /* of a request that waits, else NULL */
	void *give_up_arg;
	uint64_t ended_us;      /* when its client was first seen to send no more; 0: it was not */
	bool was_ours;          /* it was the server's turn at the last look */
	bool between_requests;  /* it was seen between two requests: no exchange logs a late client */
	uint64_t looked_us;     /* the last look */
	uint64_t idle_since_us; /* when that was first seen; the connection's start, before its first request */
	uint64_t idle_bytes;    /* that had come by then; more of them are the next request's */
};

/* A new connection. */
void deadline_init(struct deadline *d);

/*
 * From the owner of the request. `delivered` and `more` count for DEADLINE_IDLE, in which a request ends: the bytes
 * that libmicrohttpd has read, and whether some of them are the next request's.
 */
void deadline_enter(struct deadline *d, enum deadline_phase phase, uint64_t delivered, bool more);

/* Whether DEADLINE_WAITING was the last phase that was entered. From the owner of the request. */
bool deadline_is_waiting(const struct deadline *d);

/* Whether the connection is in its handshake and began at `least_start_us` or later. The lock is held. */
bool deadline_is_new_handshake_locked(const struct deadline *d, uint64_t least_start_us);

/* A look at the connection with this socket: true when its client is late. The lock is held. */
bool deadline_look_locked(struct deadline *d, int fd, uint64_t now_us, uint64_t timeout_us);

/*
 * Since when the connection waits for a request, or for the rest of a head or of a handshake; 0: it does not. The lock
 * is held.
 */
uint64_t deadline_idle_since_locked(const struct deadline *d, int fd, uint64_t timeout_us);
uint64_t deadline_half_head_since_locked(const struct deadline *d, int fd, uint64_t timeout_us);
