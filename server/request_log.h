/* SPDX-License-Identifier: MIT */
/* A request has ended: its metrics and its log line. Any thread. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct MHD_Connection;
struct phases;
struct reply;
struct route;

struct request_line {
	struct MHD_Connection *connection; /* NULL: `fd` is its socket */
	int fd;
	const char *method, *target; /* NULL: the request line never ended */
	const struct route *route;   /* NULL: none was found */
	unsigned status;             /* 0: nothing was answered */
	enum err_code error;         /* that was answered; ERR_NONE: none */
	unsigned shed;               /* that error's */
	const char *detail;          /* the error's; NULL: none. Left out of the log where it may quote the body */
	const uint64_t *offset;      /* the error's, in the body; NULL: none */
	const struct reply *reply;   /* that was sent; NULL: none */
	uint64_t started_us;         /* by clock_monotonic_us */
	struct phases *phases;       /* which end now; NULL: the request was refused without any */
	uint64_t bytes_in, bytes_out;
	const char *request_id;
	const char *token;       /* the short name of the client's token; NULL or "": none */
	const char *traceparent; /* NULL: none */
	const char *aborted;     /* why the request was cut short; NULL: it was not */
};

/* Counts the request, and writes its line. */
void request_log(const struct request_line *line);

/* request_count.c: for request_log alone. */
void request_count(const struct request_line *line, uint64_t duration_us);
