/* SPDX-License-Identifier: MIT */
/*
 * The powers of ten 10^-342 to 10^324 as 128-bit significands: 10^q = (hi·2^64 + lo)·2^(floor(log2(10^q)) − 127),
 * rounded down; up for −27 <= q < 0; exact for 0 <= q <= 55. Reading needs them so, writing needs them rounded up.
 * scripts/make_pow10.py generates pow10.c.
 */
#pragma once

#include <stdint.h>

#define DECIMAL_POW10_FIRST (-342)
#define DECIMAL_POW10_LAST 324

struct decimal_pow10 {
	uint64_t hi;
	uint64_t lo;
};

extern const struct decimal_pow10 decimal_pow10_table[DECIMAL_POW10_LAST - DECIMAL_POW10_FIRST + 1];

/* The powers that are exact in 64 bits. */
static const uint64_t decimal_ten[20] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
	10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
	100000000000000000, 1000000000000000000, UINT64_C(10000000000000000000) };

/* 10^q. */
static inline struct decimal_pow10
decimal_pow10(int q)
{
	return decimal_pow10_table[q - DECIMAL_POW10_FIRST];
}

/* 10^q, never less than it. No carry reaches `hi`: the generator checks that. */
static inline struct decimal_pow10
decimal_pow10_up(int q)
{
	struct decimal_pow10 p = decimal_pow10(q);

	p.lo += q < -27 || q > 55;
	return p;
}

/*
 * A float c·2^q is written in units of 10^(k+1), 10^k <= 2^q < 10^(k+1). `ten` is 10^-(k+1) in 64 bits, rounded up;
 * ten·(c << shift)·2^-100 is c·2^q·10^-(k+1).
 */
struct decimal_unit {
	uint64_t ten;
	int k;
	int shift;
};

/* The unit for every exponent field of a finite float. */
extern const struct decimal_unit decimal_unit_f32[255];
