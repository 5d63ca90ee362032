/* SPDX-License-Identifier: MIT */
/*
 * Which connections are late. libmicrohttpd's timeout is for silence: a client that sends a byte a second would live
 * for ever, and so would one that reads its answer so. Here a thread looks at every connection about once a second and
 * shuts down the socket of a late one; libmicrohttpd notices, and all that the request holds is freed where it always
 * is.
 *
 * It also closes idle connections where there are so many that new ones are turned away (crowd.h): who has been idle
 * for long, first.
 *
 * A head must be complete within the timeout; a body and an answer must move at the rate of pace.h. While the server
 * computes or commits, and while a connection is idle between two requests, nobody is late (libmicrohttpd ends idle
 * connections after ten minutes). While a request waits for other clients nobody is late either, but a client that has
 * hung up is noticed here alone: the connection is suspended, and libmicrohttpd does not look at it.
 */
#ifndef SERVER_DEADLINE_H
#define SERVER_DEADLINE_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/budget.h"
#include "base/compiler.h"
#include "base/err.h"

/* All connections, and the thread that watches them. */
struct deadlines;

struct exchange;

/* One connection. NULL stands for one that nobody watches. */
struct deadline;

enum deadline_phase {
	DEADLINE_IDLE, /* between requests; also until a request's first line is there */
	/* likewise, but bytes of the next head came with the last request; nobody enters it, DEADLINE_IDLE finds out */
	DEADLINE_BEGUN,
	DEADLINE_HEAD,
	DEADLINE_BODY,
	DEADLINE_COMPUTING, /* the server's turn */
	DEADLINE_WAITING,   /* other clients' turn */
	DEADLINE_ANSWER,
	DEADLINE_SILENT, /* nothing has ever come, as far as the kernel counts; nobody enters it */
};

/*
 * Starts the thread, for as many as `connections_max` connections, whose memory is taken from the budget. NULL with
 * `e`.
 */
struct deadlines *deadlines_start(unsigned timeout_s, unsigned connections_max, struct err *e) MUST_CHECK;

/* After the last connection was closed. NULL is fine. */
void deadlines_stop(struct deadlines *all);

/*
 * Whether a connection holds bytes that its event loop has not read. *any is set when there is a connection. From any
 * thread.
 */
bool deadlines_unread(struct deadlines *all, bool *any);

/* MHD_OPTION_NOTIFY_CONNECTION: makes and frees the connection's record. `arg` is the struct deadlines. */
void
deadline_notify(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what);

/* The record of a connection, valid until it is closed. */
struct deadline *deadline_of(struct MHD_Connection *connection);

/*
 * The exchange that uses the connection now, or NULL: libmicrohttpd tells of each connection's end, but not of each
 * request's. From the connection's event loop alone.
 */
void deadline_hold(struct deadline *d, struct exchange *x);
struct exchange *deadline_held(const struct deadline *d);

/* What the connection is at now. From whoever owns the request, while the connection is not closed. */
void deadline_enter(struct deadline *d, enum deadline_phase phase);

/*
 * Enters DEADLINE_WAITING. When the client has reset the connection, or ended its side of it a timeout ago, `give_up`
 * is called, once, by the watching thread: it may resume the request. It is not called any more after the next phase
 * was entered.
 */
void deadline_wait(struct deadline *d, void (*give_up)(void *arg), void *arg);

/* A piece of a request's body ends at this place of libmicrohttpd's buffer. From the connection's event loop alone. */
void deadline_body_ends(struct deadline *d, const char *end);

/* Whether there were too many connections, or too little memory, when it was opened: its requests are to be refused. */
bool deadline_is_beyond(const struct deadline *d);

/* Whether it was shut down for being late. */
bool deadline_was_late(const struct deadline *d);

#endif
