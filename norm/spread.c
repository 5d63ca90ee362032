/* SPDX-License-Identifier: MIT */
/*
 * Selection by radix. The bits of a double, with some inverted, are a whole number in the same order. The digits of the
 * one that is looked for are found from the highest to the lowest: each pass counts the digits of the values that agree
 * in all digits before. Quicksort's way of selection would move the values, and clients choose them, so they could make
 * it take the square of their number.
 */
#include "norm/spread.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DIGIT_BITS 8
#define DIGITS (1u << DIGIT_BITS)
#define SIGN_BIT ((uint64_t)1 << 63)

/* Keys are in the order of the values; -0 comes before 0. */
static uint64_t
key_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits & SIGN_BIT) != 0 ? ~bits : bits | SIGN_BIT;
}

static double
value_of(uint64_t key)
{
	const uint64_t bits = (key & SIGN_BIT) != 0 ? key & ~SIGN_BIT : ~key;
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The key that agrees with `prefix` in the bits of `mask`; there is one. */
static uint64_t
key_with(const double *values, uint64_t prefix, uint64_t mask)
{
	while ((key_of(*values) & mask) != prefix)
		values++;
	return key_of(*values);
}

/* The key at `rank` in the order of keys. */
static uint64_t
key_at(const double *values, size_t count, size_t rank)
{
	uint64_t prefix = 0, mask = 0;

	for (unsigned shift = 64; shift > 0;) {
		size_t counts[DIGITS] = { 0 };
		unsigned digit = 0;

		shift -= DIGIT_BITS;
		for (size_t i = 0; i < count; i++) {
			const uint64_t key = key_of(values[i]);

			counts[key >> shift & (DIGITS - 1)] += (key & mask) == prefix;
		}
		while (rank >= counts[digit])
			rank -= counts[digit++];
		prefix |= (uint64_t)digit << shift;
		mask |= (uint64_t)(DIGITS - 1) << shift;
		if (counts[digit] == 1)
			return key_with(values, prefix, mask);
	}
	return prefix;
}

/* The key at `rank`, where `before` is the one at the rank before. */
static uint64_t
key_after(const double *values, size_t count, size_t rank, uint64_t before)
{
	uint64_t next = UINT64_MAX;
	size_t passed = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t key = key_of(values[i]);

		passed += key <= before;
		next = key > before && key < next ? key : next;
	}
	return passed > rank ? before : next;
}

double
spread_median(const double *values, size_t count)
{
	const uint64_t key = key_at(values, count, (count - 1) / 2);
	const double lower = value_of(key);
	double upper, sum;

	if (count % 2 == 1)
		return lower;
	upper = value_of(key_after(values, count, count / 2, key));
	sum = lower + upper;
	return isfinite(sum) ? sum / 2 : lower / 2 + upper / 2;
}

struct spread
spread_measure(const double *values, size_t count)
{
	struct spread s = { .min = values[0], .max = values[0] };

	for (size_t i = 1; i < count; i++) {
		s.min = values[i] < s.min ? values[i] : s.min;
		s.max = values[i] > s.max ? values[i] : s.max;
	}
	s.median = spread_median(values, count);
	return s;
}
