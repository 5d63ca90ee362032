/* SPDX-License-Identifier: MIT */
/*
 * "American flag" sort (McIlroy, Bostic, McIlroy: Engineering Radix Sort, 1993): items move to the bucket of their
 * key's highest byte by swaps, and each bucket is sorted by the next byte. qsort would allocate memory that nobody
 * counts.
 */
#include "codec/sort.h"

#define BUCKETS 256
#define TOP_SHIFT 56

/* Up to this number an insertion sort is faster. */
#define FEW 32

static void
sort_few(struct sort_item *items, size_t n)
{
	struct sort_item item;
	size_t k;

	for (size_t i = 1; i < n; i++) {
		item = items[i];
		for (k = i; k > 0 && items[k - 1].key > item.key; k--)
			items[k] = items[k - 1];
		items[k] = item;
	}
}

static unsigned
digit(const struct sort_item *item, unsigned shift)
{
	return item->key >> shift & (BUCKETS - 1);
}

/* Moves each item to its bucket. ends[b] becomes the end of bucket b. */
static void
sort_into_buckets(struct sort_item *items, size_t n, unsigned shift, size_t ends[BUCKETS])
{
	size_t next[BUCKETS] = { 0 }, sum = 0;
	struct sort_item item;
	unsigned d;

	for (size_t i = 0; i < n; i++)
		next[digit(&items[i], shift)]++;
	for (unsigned b = 0; b < BUCKETS; b++) {
		sum += next[b];
		next[b] = sum - next[b];
		ends[b] = sum;
	}
	for (unsigned b = 0; b < BUCKETS; b++)
		while (next[b] < ends[b]) {
			item = items[next[b]];
			d = digit(&item, shift);
			items[next[b]] = items[next[d]];
			items[next[d]++] = item;
		}
}

/* Sorts by the byte at `shift` and those below. The depth of the recursion is the number of bytes of a key. */
static void
sort_from(struct sort_item *items, size_t n, unsigned shift) /* NOLINT(misc-no-recursion) */
{
	size_t ends[BUCKETS], begin = 0;

	if (n <= FEW) {
		sort_few(items, n);
		return;
	}
	sort_into_buckets(items, n, shift, ends);
	for (unsigned b = 0; shift > 0 && b < BUCKETS; b++) {
		sort_from(items + begin, ends[b] - begin, shift - 8);
		begin = ends[b];
	}
}

void
sort_items(struct sort_item *items, size_t n)
{
	sort_from(items, n, TOP_SHIFT);
}
