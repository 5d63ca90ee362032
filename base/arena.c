/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef ARENA_EACH_APART
#define BLOCK_BYTES ((size_t)0)
#else
/* With its head, just below the 1032 bytes up to which glibc keeps freed chunks for each thread. */
#define BLOCK_BYTES ((size_t)976)
#endif

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void
arena_init(struct arena *a, size_t bytes_max)
{
	a->blocks = NULL;
	a->left = bytes_max;
}

void
arena_fini(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(a, 0);
}

/*
 * A block with room for `size`, at the head of the list. What is larger than a usual block gets one of its own, if
 * `zeroed` from calloc, because large ones come zeroed from the kernel. What a usual block hands out is zeroed then.
 */
static struct arena_block *
arena_grow(struct arena *a, size_t size, bool zeroed)
{
	struct arena_block *b;
	size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

	if (room > SIZE_MAX - sizeof(*b))
		return NULL;
	b = room > BLOCK_BYTES && zeroed ? calloc(1, sizeof(*b) + room) : malloc(sizeof(*b) + room);
	if (b == NULL)
		return NULL;
	b->used = 0;
	b->size = room;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

static void *
take(struct arena *a, size_t size, bool zeroed)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->blocks;
	void *p;

	if (size > SIZE_MAX - align)
		return NULL;
	size = (size + align - 1) / align * align;
	if (size > a->left)
		return NULL;
	if (BLOCK_BYTES == 0 || b == NULL || b->size - b->used < size)
		b = arena_grow(a, size, zeroed);
	if (b == NULL)
		return NULL;
	p = b->bytes + b->used;
	if (b->size == BLOCK_BYTES && zeroed)
		memset(p, 0, size);
	b->used += size;
	a->left -= size;
	return p;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	return take(a, size, true);
}

void *
arena_alloc_unset(struct arena *a, size_t size)
{
	return take(a, size, false);
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

char *
arena_text(struct arena *a, const char *text, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(a, len + 1);
	if (copy != NULL && len > 0)
		memcpy(copy, text, len);
	return copy;
}
