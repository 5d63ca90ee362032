/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out when a test says so. Armed, every allocation that is asked for is counted, on all threads, and
 * the n-th fails, or the n-th and all later ones. Where allocations come from is wrap.c's matter.
 */
#pragma once

#include <stdbool.h>

enum fault_mode { FAULT_ONCE, FAULT_FROM_THEN_ON };

/*
 * Whose allocations fail: our own and those that SQLite, cJSON and zlib make for us; or libmicrohttpd's for an answer
 * too.
 */
enum fault_scope { FAULT_OURS, FAULT_HTTP_TOO };

/* Lets SQLite and cJSON take their memory from here. First of all, and once. */
void fault_install(void);

/* The n-th allocation from now on fails; n = 0: none, they are only counted. */
void fault_arm(unsigned long n, enum fault_mode mode, enum fault_scope scope);

/* No more failures; returns how many allocations were asked for since fault_arm. */
unsigned long fault_disarm(void);

/* Whether an allocation of libmicrohttpd's has failed since fault_arm. */
bool fault_struck_http(void);

/* Counts one allocation, which libmicrohttpd would make where `http`; true when it must fail. */
bool fault_strikes(bool http);

/* Blocks that were given out here and not given back; always 0 where the whole process's memory fails. */
long fault_live(void);

/* Whether libraries fail within, and not only our calls of them. */
bool fault_is_within_libraries(void);
