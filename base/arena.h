/* SPDX-License-Identifier: MIT */
/*
 * An arena: memory with one lifetime (a request's), given back in one place, within a budget.
 *
 * Allocations are aligned for any type and zeroed. There is no free for a single one. Built with ARENA_EACH_APART (the
 * sanitizer builds), every allocation is a malloc of its own, so that an overrun of one is seen.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/compiler.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t left;                /* bytes of the budget not handed out yet */
};

/* Makes `a` empty, to hand out at most `budget` bytes. Allocates nothing. */
void arena_init(struct arena *a, size_t budget);

/* Gives all memory back; `a` may be initialized again. */
void arena_fini(struct arena *a);

/* `size` zeroed bytes, or NULL when the budget or the memory is used up. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;

/* `count` elements of `size` bytes; NULL also when the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_CHECK;

/* A NUL-terminated copy of `len` bytes at `text`; NULL as above. */
char *arena_text(struct arena *a, const char *text, size_t len) MUST_CHECK;

#endif
