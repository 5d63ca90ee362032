/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd reads, and holds in a connection's memory, and so whether an answer's head will fit there too.
 *
 * libmicrohttpd does not tell. But it reads through recv, which the program defines itself (server/intake.c), and under
 * TLS through gnutls_record_recv (server/tls_session.c): each call shows where in the memory the bytes go, and hands
 * over what the scan lets through (server/scan.h). The head lies at the memory's start, then the rest of the body and
 * of requests that the client has sent ahead. Records of headers are made from the memory's end.
 *
 * When a request's steps begin, reading stops until its answer has ended, so the room that was found stays. Also, a
 * client that closes its half of the connection after its request is not taken for one that is gone. Behind a fault
 * nothing is read any more.
 *
 * All functions are for the connection's event loop, those with a struct MHD_Connection within its handler.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "server/scan.h"

struct MHD_Connection;

/* A connection's, part of its stream; zeroed, nothing was read of it. The fields are intake.c's. */
struct intake {
	uintptr_t start;  /* of the memory; 0: nothing was read yet */
	uintptr_t body;   /* where the head ends, to where libmicrohttpd moves the rest of the body; 0: before a head */
	uintptr_t end;    /* of what was read: never too low */
	uintptr_t taken;  /* the end of the piece that was taken last, since the last read; 0: none was */
	bool stopped;     /* nothing is read */
	uint32_t request; /* the one that libmicrohttpd is at, from 1 */
	struct scan scan;
};

/* Where bytes of the client are to be received. */
struct intake_place {
	char *bytes;
	size_t room;
};

enum intake_next {
	INTAKE_RECEIVES, /* to the place; then intake_take */
	INTAKE_HOLDS,    /* nothing now: libmicrohttpd is to try again later */
	INTAKE_HAS,      /* `*delivered` bytes are there without the client */
	INTAKE_ENDED,    /* nothing any more */
};

/* libmicrohttpd asks for bytes of the client. */
enum intake_next
intake_ask(struct intake *in, char *bytes, size_t room, struct intake_place *place, size_t *delivered) MUST_CHECK;

/*
 * `n` bytes were received to the place. Returns how many libmicrohttpd gets, which may be none: it is then to try again
 * later.
 */
size_t intake_take(struct intake *in, char *bytes, size_t room, const struct intake_place *place, size_t n);

/* The request's head of `size` bytes was read; it begins at `method`, as libmicrohttpd hands it to the handler. */
void intake_take_head(struct intake *in, const char *method, size_t size);

/* A piece of the body is taken, all of it, from where libmicrohttpd has it. */
void intake_take_body(struct intake *in, const char *piece, size_t len);

/* Whether the head of any answer to this request fits in the connection's memory. */
bool intake_has_room(struct intake *in, struct MHD_Connection *mhd);

/* Whether the scan found a fault in the request, as far as it was received. It must be refused. */
bool intake_is_broken(const struct intake *in);

/* The request's steps begin: nothing is read until it ends. */
void intake_stop_reading(struct intake *in);

/* The request has ended. */
void intake_end_request(struct intake *in);

/* Whether a part of another request was received by then. */
bool intake_holds_more(const struct intake *in);
