/* SPDX-License-Identifier: MIT */
#include "norm/shuffle.h"

#include <string.h>

/* The mark of a place that has its sample already. */
#define DONE ((size_t)1 << (8 * sizeof(size_t) - 1))

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Uniform below `n`: what would favour the first numbers is drawn again. */
static uint64_t
random_below(uint64_t *state, uint64_t n)
{
	const uint64_t biased = -n % n; /* 2^64 mod n */
	uint64_t r;

	do
		r = next_random(state);
	while (r < biased);
	return r % n;
}

void
shuffle_order(uint64_t seed, size_t n, size_t *order)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; i > 1; i--) {
		const size_t k = (size_t)random_below(&seed, i), swap = order[i - 1];

		order[i - 1] = order[k];
		order[k] = swap;
	}
}

static void
unmark(size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] &= ~DONE;
}

/* Along each cycle: the place that has been vacated takes its sample, which vacates the next. */
void
shuffle_samples(void *x, size_t n, size_t bytes, size_t *order, void *scratch)
{
	unsigned char *at = x;
	size_t start, place, from;

	for (start = 0; start < n; start++) {
		if ((order[start] & DONE) != 0)
			continue;
		memcpy(scratch, at + start * bytes, bytes);
		for (place = start; (from = order[place]) != start; place = from) {
			memcpy(at + place * bytes, at + from * bytes, bytes);
			order[place] |= DONE;
		}
		memcpy(at + place * bytes, scratch, bytes);
		order[place] |= DONE;
	}
	unmark(order, n);
}

/* The same cycles the other way: what stands at a place goes home, and what stood there is carried on. */
void
shuffle_undo(void *x, size_t n, size_t bytes, size_t *order, void *scratch)
{
	unsigned char *at = x, *carried = scratch;
	size_t start, home, i;
	unsigned char swap;

	for (start = 0; start < n; start++) {
		if ((order[start] & DONE) != 0)
			continue;
		memcpy(carried, at + start * bytes, bytes);
		for (size_t place = start; (order[place] & DONE) == 0; place = home) {
			home = order[place];
			for (i = 0; i < bytes; i++) {
				swap = at[home * bytes + i];
				at[home * bytes + i] = carried[i];
				carried[i] = swap;
			}
			order[place] |= DONE;
		}
	}
	unmark(order, n);
}
