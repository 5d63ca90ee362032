/* SPDX-License-Identifier: MIT */
/* Sixteen characters at a time, in the compiler's vectors: which are of a kind, and the number that they spell. */
#pragma once

#include <stdint.h>
#include <string.h>

typedef uint8_t decimal_lanes __attribute__((vector_size(16)));
typedef uint16_t decimal_lanes_of_2 __attribute__((vector_size(16)));
typedef uint32_t decimal_lanes_of_4 __attribute__((vector_size(16)));
typedef uint64_t decimal_lanes_of_8 __attribute__((vector_size(16)));

/* From 16 bytes at any address. */
static inline decimal_lanes
decimal_lanes_load(const void *p)
{
	decimal_lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* `c` in every lane. */
static inline decimal_lanes
decimal_lanes_all(uint8_t c)
{
	return (decimal_lanes){ 0 } + c;
}

/* Ones in the last `count` lanes, 0 to 16, zeros before them. */
static inline decimal_lanes
decimal_lanes_last(unsigned count)
{
	static const uint8_t steps[32] = {
		[16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
	};

	return decimal_lanes_load(steps + count);
}

/* A comparison's result, whose lanes are all ones or zeros, as a bit for each lane. */
static inline unsigned
decimal_lanes_bits(decimal_lanes v)
{
#if defined(__SSE2__)
	typedef char lanes __attribute__((vector_size(16)));

	return (unsigned)__builtin_ia32_pmovmskb128((lanes)v);
#else
	/* A different bit of each byte; the product adds them up in its top byte. */
	const uint64_t diagonal = UINT64_C(0x8040201008040201), ones = UINT64_C(0x0101010101010101);
	decimal_lanes_of_8 halves = (decimal_lanes_of_8)v;

	return (unsigned)((halves[0] & diagonal) * ones >> 56) | (unsigned)((halves[1] & diagonal) * ones >> 56) << 8;
#endif
}

/* The number of sixteen digits' values, the first in lane 0: by pairs, fours, and words. For little-endian machines. */
static inline uint64_t
decimal_lanes_join(decimal_lanes values)
{
	const decimal_lanes_of_2 hundred_and_one = { 100, 1, 100, 1, 100, 1, 100, 1 };
	decimal_lanes_of_2 pairs = (decimal_lanes_of_2)values;
	decimal_lanes_of_4 fours;
	decimal_lanes_of_8 halves;
	uint64_t high, low;

	pairs = ((pairs & 0xff) * 10 + (pairs >> 8)) * hundred_and_one;
	fours = (decimal_lanes_of_4)pairs;
	fours = (fours & 0xffff) + (fours >> 16);
	halves = (decimal_lanes_of_8)fours;
	high = (halves[0] & 0xffffffff) * 10000 + (halves[0] >> 32);
	low = (halves[1] & 0xffffffff) * 10000 + (halves[1] >> 32);
	return high * 100000000 + low;
}
