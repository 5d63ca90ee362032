/* SPDX-License-Identifier: MIT */
/*
 * How fast a client must be while it is its turn. It has an allowance of time, the timeout. The allowance runs down
 * with the clock, and is refilled by a second for every PACE_BYTES_PER_S bytes that move, never above the timeout. A
 * client at that rate is never late; one below it is late after one timeout at most, and a quick start does not pay for
 * a long stall afterwards. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A modem's speed: slower than any honest client, and fast enough to end thousands of clients that drip bytes. */
#define PACE_BYTES_PER_S 1024

struct pace {
	uint64_t due_us; /* when the allowance is used up */
	uint64_t bytes;  /* moved when due_us was computed */
};

/* The allowance is full at `now_us`, with `bytes` moved so far. */
void pace_start(struct pace *p, uint64_t now_us, uint64_t bytes, uint64_t timeout_us);

/* The client's turn until `now_us`, by when `bytes` had moved in all: refills the allowance for those that are new. */
void pace_refill(struct pace *p, uint64_t now_us, uint64_t bytes, uint64_t timeout_us);

/* It was not the client's turn from `since_us` to `now_us`: its allowance does not run down for that time. */
void pace_pause(struct pace *p, uint64_t since_us, uint64_t now_us, uint64_t timeout_us);

bool pace_is_late(const struct pace *p, uint64_t now_us);
