/* SPDX-License-Identifier: MIT */
/* The log line of a request. Any thread. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct MHD_Connection;

struct request_line {
	struct MHD_Connection *connection; /* NULL: `fd` is its socket */
	int fd;
	const char *method, *target; /* NULL: the request line never ended */
	unsigned status;             /* 0: nothing was answered */
	const char *code;            /* of the error that was answered; "" for none */
	const char *detail;          /* the error's; NULL: none */
	uint64_t started_us;         /* by clock_monotonic_us */
	uint64_t bytes_in, bytes_out;
	const char *request_id;
	const char *traceparent; /* NULL: none */
	const char *aborted;     /* why the request was cut short; NULL: it was not */
};

void request_log(const struct request_line *line);
