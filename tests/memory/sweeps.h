/* SPDX-License-Identifier: MIT */
/* What memory runs out in, each for every n. */
#pragma once

#include <stdbool.h>

#include "tests/memory/operations.h"

/*
 * One operation, the server running. `full`: also with libmicrohttpd's allocations failing from the n-th on, where
 * hardly more is seen than closed connections.
 */
void sweep_operation(const struct operation *o, bool full);

/*
 * Starts on a new store and on one that exists; the server is stopped. `full`: also with no memory from the n-th
 * allocation on.
 */
void sweep_starts(bool full);

/* Several operations in one transaction, the server running. */
void sweep_batch(void);

/* A change of several layers, the server running. */
void sweep_change(void);

/* A window of inference, in a store of its own. */
void sweep_window(void);

/* The files that SIGHUP reads again. */
void sweep_files(void);

/* The log, which is stopped and writes to `fd`. */
void sweep_log(int fd);

/* Whether the last bytes of a file have the text in them. */
bool file_ends_with_line(int fd, const char *text);
