/* SPDX-License-Identifier: MIT */
/* Eight decimal digits at a time in a 64-bit word. The first byte in memory is the lowest, whatever the machine. */
#pragma once

#include <stdint.h>
#include <string.h>

/* A byte in all eight places. */
#define DECIMAL_EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* memcpy and not base/bytes.h: gcc 12 does not make one load of a loop over bytes. */
static inline uint64_t
decimal_load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void
decimal_store8(char *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

/* Characters to values: a digit's is at most 9, another character's more. */
static inline uint64_t
decimal_values8(uint64_t characters)
{
	return characters ^ DECIMAL_EIGHT('0');
}

/*
 * The top bit of every byte that is not a digit's value: exact up to the first such byte, and up to the second if the
 * first was a '-' or a '.'. A byte of 0x8a or more carries into those after it.
 */
static inline uint64_t
decimal_strangers8(uint64_t values)
{
	return ((values + DECIMAL_EIGHT(0x76)) | values) & DECIMAL_EIGHT(0x80);
}

/* The place, 0 to 7, of the first byte marked in `marks`, which is not 0. */
static inline unsigned
decimal_first8(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) >> 3;
}

/* Eight values, first digit lowest, to their number: pairs, then fours, then all. */
static inline uint64_t
decimal_join8(uint64_t values)
{
	const uint64_t fours = UINT64_C(0x000000ff000000ff);
	uint64_t pairs = values * 10 + (values >> 8);

	return ((pairs & fours) * ((UINT64_C(1000000) << 32) + 100) +
		   ((pairs >> 16) & fours) * ((UINT64_C(10000) << 32) + 1)) >>
	    32;
}

/* The number of the first `count` values, 0 to 7. */
static inline uint64_t
decimal_join(uint64_t values, unsigned count)
{
	return decimal_join8(values << 8 << (56 - 8 * count));
}

/*
 * A number below 10^8 to its eight digits' values, first digit lowest, by the reverse steps. Each divides all parts at
 * once, by multiplication, and puts quotient and remainder side by side: x·2^w + (x/d)·(1 − d·2^w) = x/d + (x mod
 * d)·2^w.
 */
static inline uint64_t
decimal_split8(uint32_t number)
{
	uint64_t fours = ((uint64_t)number << 32) + number / 10000 * (1 - (UINT64_C(10000) << 32));
	uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
	uint64_t pairs = (fours << 16) + hundreds * (1 - (UINT64_C(100) << 16));
	uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);

	return (pairs << 8) + tens * (1 - (UINT64_C(10) << 8));
}

/*
 * How many of eight values are left without the zeros at the end. In the swapped word the lowest set bit is in the
 * lower half of its byte; the bit at the top stands for none. (Finding the highest bit instead is slow on older
 * processors and on AMD's.)
 */
static inline int
decimal_count8(uint64_t values)
{
	return 8 - ((__builtin_ctzll(__builtin_bswap64(values) | UINT64_C(1) << 63) + 4) >> 3);
}
