/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd holds in a connection's memory, and so whether an answer's head will fit there too.
 *
 * libmicrohttpd does not tell. But it reads through recv, which the program defines itself (server/intake.c), and under
 * TLS through gnutls_record_recv (server/tls_session.c): each call shows where in the memory the bytes go. The head
 * lies at the memory's start, then trailers, then the rest of the body and of requests that the client has sent ahead.
 * Records of headers are made from the memory's end.
 *
 * When a request's steps begin, reading stops until its answer has ended, so the room that was found stays. Also, a
 * client that closes its half of the connection after its request is not taken for one that is gone.
 *
 * All functions are for the connection's event loop, those with a struct MHD_Connection within its handler.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "server/scan.h"

struct MHD_Connection;

/* A connection's, part of its stream; zeroed, nothing was read of it. The fields are intake.c's. */
struct intake {
	uintptr_t start;  /* of the memory; 0: nothing was read yet */
	uintptr_t body;   /* where the head ends, to where libmicrohttpd moves the rest of the body; 0: before a head */
	uintptr_t end;    /* of what was read: never too low */
	uintptr_t taken;  /* the end of the piece that was taken last, since the last read; 0: none was */
	size_t aside;     /* bytes read since then without a piece: trailers, chunk extensions */
	bool stopped;     /* nothing is read */
	bool overlong;    /* there were too many bytes aside */
	uint32_t request; /* the one that libmicrohttpd is at, from 1 */
	struct scan scan;
};

/*
 * `n` bytes of the connection's client are where libmicrohttpd wants them. False: they are no request, which the client
 * was told. libmicrohttpd must then read 0 bytes, as if the client had gone, so that it ends the connection.
 */
bool intake_read(int fd, struct intake *in, char *bytes, size_t n) MUST_CHECK;

/* The request's head of `size` bytes was read; it begins at `method`, as libmicrohttpd hands it to the handler. */
void intake_take_head(struct intake *in, const char *method, size_t size);

/*
 * A piece of the body is taken, all of it, from where libmicrohttpd has it. False: what came before it, between pieces,
 * was too long, and the request must be refused.
 */
bool intake_take_body(struct intake *in, const char *piece, size_t len) MUST_CHECK;

/*
 * Whether the head of any answer to this request fits in the connection's memory, and trailers and chunk extensions
 * were within their limit.
 */
bool intake_has_room(struct intake *in, struct MHD_Connection *mhd);

/*
 * What is wrong with the lines of the request, as far as they were received (server/scan.h); or NULL. The request must
 * then be refused, and the connection ends.
 */
const char *intake_problem(const struct intake *in);

/*
 * Whether there is such a problem; also before the handler was called with the request's head. Within libmicrohttpd's
 * calls for the connection.
 */
bool intake_refuses(struct MHD_Connection *mhd);

/* The request's steps begin: nothing is read until it ends. */
void intake_stop_reading(struct intake *in);

/* The request has ended. */
void intake_end_request(struct intake *in);
